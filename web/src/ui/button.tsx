import { Button as AriaButton, type ButtonProps, Tooltip, TooltipTrigger } from 'react-aria-components';
import { Icon, type IconName } from './icon.tsx';

type Look = 'plain' | 'primary' | 'danger' | 'ghost';

export interface OwnButtonProps extends ButtonProps {
  readonly look?: Look;
  readonly icon?: IconName;
  /** A small button, for rows and toolbars. */
  readonly isSmall?: boolean;
}

export function Button({ look = 'plain', icon, isSmall, children, ...rest }: OwnButtonProps) {
  return (
    <AriaButton className={`button ${look}${isSmall ? ' small' : ''}`} {...rest}>
      {(state) => (
        <>
          {icon && <Icon name={icon} />}
          {typeof children === 'function' ? children({ ...state, defaultChildren: undefined }) : children}
        </>
      )}
    </AriaButton>
  );
}

/** A button that shows a picture only; its name is spoken, and shown on hover and focus. */
export function IconButton({
  icon,
  label,
  look = 'ghost',
  shortcut,
  ...rest
}: Omit<OwnButtonProps, 'children' | 'icon'> & { icon: IconName; label: string; shortcut?: string }) {
  return (
    <TooltipTrigger delay={400}>
      <AriaButton
        className={`button icon-only ${look}`}
        aria-label={label}
        {...(shortcut ? { 'aria-keyshortcuts': shortcut } : {})}
        {...rest}
      >
        <Icon name={icon} />
      </AriaButton>
      <Tooltip className="tooltip" offset={6}>
        {label}
        {shortcut && <kbd>{shortcut}</kbd>}
      </Tooltip>
    </TooltipTrigger>
  );
}
