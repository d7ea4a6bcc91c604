import { useTranslation } from 'react-i18next';
import { hostedPath, kindOf, nameOf, picturePath } from '../../api/media.ts';
import { useAppName } from '../../api/queries.ts';
import { wordsOf } from '../../api/trouble.ts';
import { Link } from '../../app/link.tsx';
import { pathTo } from '../../app/place.ts';
import { Overlay } from '../../gallery/overlay.tsx';
import type { Item } from '../../gallery/source.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';

/** An input as large as fits, without leaving the gallery. */
export function Preview({
  item,
  onClose,
  onLike,
}: {
  item: Item | undefined;
  onClose: () => void;
  onLike: (id: string) => void;
}) {
  const { t } = useTranslation();
  const app = useAppName();
  const input = item?.input;
  if (!input) return null;
  const id = input.id ?? '';
  const kind = kindOf(input.data);
  const trouble = (input.status?.code ?? 0) === 30000 ? '' : wordsOf(input.status);
  return (
    <Dialog
      title={nameOf(input)}
      isOpen
      onClose={onClose}
      size="large"
      actions={
        <>
          {kind === 'image' && (
            <Button icon="search" onPress={() => onLike(id)}>
              {t('gallery.moreLike')}
            </Button>
          )}
          <Link className="button primary" href={pathTo(app.user_id, app.app_id, 'inputs', id)}>
            {t('gallery.open')}
          </Link>
        </>
      }
    >
      {trouble && <p className="note danger">{trouble}</p>}
      <div className="preview">
        {kind === 'image' && (
          <figure>
            <img src={picturePath(input.data, 'large')} alt={nameOf(input)} />
            <Overlay input={input} />
          </figure>
        )}
        {/* biome-ignore lint/a11y/useMediaCaption: what people upload has no captions */}
        {kind === 'video' && <video src={hostedPath(input.data?.video?.hosted, 'orig')} controls />}
        {/* biome-ignore lint/a11y/useMediaCaption: as above */}
        {kind === 'audio' && <audio src={hostedPath(input.data?.audio?.hosted, 'orig')} controls />}
        {kind === 'text' && <p className="preview-text">{input.data?.text?.raw}</p>}
      </div>
    </Dialog>
  );
}
