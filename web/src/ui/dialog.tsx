import type { ReactNode } from 'react';
import { Dialog as AriaDialog, Heading, Modal, ModalOverlay } from 'react-aria-components';
import { useTranslation } from 'react-i18next';
import { IconButton } from './button.tsx';

/**
 * Keeps focus in the dialog where the button that has it is disabled or goes: from the page below, Escape would not
 * close it, and the next Tab would begin anew.
 */
function keepFocus(body: HTMLElement | null): () => void {
  const dialog = body?.parentElement;
  const take = () => document.activeElement === document.body && dialog?.focus();
  // The browser lets go of a disabled button when it draws next.
  const watch = new MutationObserver(() => requestAnimationFrame(() => requestAnimationFrame(take)));
  if (dialog) watch.observe(dialog, { subtree: true, childList: true, attributeFilter: ['disabled'] });
  return () => watch.disconnect();
}

/**
 * A dialog over the page. Escape and the cross close it; focus goes in and comes back to where it was. `size` is
 * how wide it wants to be where there is room.
 */
export function Dialog({
  title,
  isOpen,
  onClose,
  children,
  actions,
  size = 'medium',
}: {
  title: string;
  isOpen: boolean;
  onClose: () => void;
  children: ReactNode;
  actions?: ReactNode;
  size?: 'small' | 'medium' | 'large';
}) {
  const { t } = useTranslation();
  return (
    <ModalOverlay className="veil" isOpen={isOpen} onOpenChange={(open) => open || onClose()} isDismissable>
      <Modal className={`modal ${size}`}>
        <AriaDialog className="dialog">
          <header>
            <Heading slot="title">{title}</Heading>
            <IconButton icon="close" label={t('common.close')} onPress={onClose} />
          </header>
          <div className="dialog-body" ref={keepFocus}>
            {children}
          </div>
          {actions && <footer>{actions}</footer>}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}
