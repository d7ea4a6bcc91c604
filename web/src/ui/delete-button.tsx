import { type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Button, IconButton } from './button.tsx';
import { Dialog } from './dialog.tsx';
import { sayTrouble } from './notices.tsx';

/** Asks before something goes that cannot be brought back; `children` say what goes with it. */
export function DeleteButton({
  label,
  title,
  children,
  act,
  verb,
  isWide = false,
}: {
  /** What the button is called; shown on one that is wide. */
  label: string;
  title: string;
  children: ReactNode;
  act: () => Promise<unknown>;
  /** What is done, where that is not deleting. */
  verb?: string;
  isWide?: boolean;
}) {
  const { t } = useTranslation();
  const [isOpen, setOpen] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const go = async () => {
    setBusy(true);
    try {
      await act();
      setOpen(false);
    } catch (thrown) {
      setOpen(false);
      sayTrouble(thrown);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      {isWide ? (
        <Button icon="trash" onPress={() => setOpen(true)}>
          {label}
        </Button>
      ) : (
        <IconButton icon="trash" label={label} onPress={() => setOpen(true)} />
      )}
      <Dialog
        title={title}
        isOpen={isOpen}
        onClose={() => setOpen(false)}
        size="small"
        actions={
          <>
            <Button autoFocus onPress={() => setOpen(false)}>
              {t('common.cancel')}
            </Button>
            <Button look="danger" icon="trash" isPending={isBusy} onPress={() => void go()}>
              {verb ?? t('common.delete')}
            </Button>
          </>
        }
      >
        {isOpen && children}
      </Dialog>
    </>
  );
}
