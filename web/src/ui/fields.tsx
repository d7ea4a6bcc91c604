import type { ReactNode } from 'react';
import {
  Checkbox as AriaCheckbox,
  Select as AriaSelect,
  Switch as AriaSwitch,
  TextField as AriaTextField,
  Button,
  FieldError,
  Input,
  Label,
  ListBox,
  ListBoxItem,
  Popover,
  SelectValue,
  Text,
  TextArea,
  type TextFieldProps,
} from 'react-aria-components';
import { Icon } from './icon.tsx';

/** A line or an area of text with its label, a hint, and what is wrong with it. */
export function TextField({
  label,
  hint,
  error,
  isLong,
  rows = 4,
  placeholder,
  ...rest
}: TextFieldProps & {
  label: string;
  hint?: ReactNode;
  error?: string | undefined;
  isLong?: boolean;
  rows?: number;
  placeholder?: string;
}) {
  return (
    <AriaTextField className="field" isInvalid={error !== undefined} {...rest}>
      <Label>{label}</Label>
      {isLong ? (
        <TextArea rows={rows} placeholder={placeholder ?? ''} />
      ) : (
        <Input placeholder={placeholder ?? ''} />
      )}
      {hint && (
        <Text slot="description" className="hint">
          {hint}
        </Text>
      )}
      <FieldError className="field-error">{error}</FieldError>
    </AriaTextField>
  );
}

export interface Choice {
  readonly id: string;
  readonly label: string;
  readonly detail?: string;
}

export function Select({
  label,
  hideLabel,
  choices,
  value,
  onChange,
  placeholder,
  isDisabled = false,
}: {
  label: string;
  hideLabel?: boolean;
  choices: readonly Choice[];
  value: string | undefined;
  onChange: (id: string) => void;
  placeholder?: string;
  isDisabled?: boolean;
}) {
  return (
    <AriaSelect
      className="field"
      value={value ?? null}
      onChange={(key) => key !== null && onChange(String(key))}
      placeholder={placeholder ?? ''}
      isDisabled={isDisabled}
      {...(hideLabel ? { 'aria-label': label } : {})}
    >
      {!hideLabel && <Label>{label}</Label>}
      <Button className="button select-button">
        <SelectValue />
        <Icon name="chevronDown" size={16} />
      </Button>
      <Popover className="popover">
        <ListBox className="list-box" items={choices}>
          {(choice) => (
            <ListBoxItem id={choice.id} textValue={choice.label} className="list-item">
              <Text slot="label">{choice.label}</Text>
              {choice.detail && (
                <Text slot="description" className="hint">
                  {choice.detail}
                </Text>
              )}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </AriaSelect>
  );
}

export function Checkbox({
  label,
  isSelected,
  onChange,
  isDisabled = false,
}: {
  label: ReactNode;
  isSelected: boolean;
  onChange: (selected: boolean) => void;
  isDisabled?: boolean;
}) {
  return (
    <AriaCheckbox className="checkbox" isSelected={isSelected} onChange={onChange} isDisabled={isDisabled}>
      <span className="tick" aria-hidden="true">
        <Icon name="check" size={14} />
      </span>
      {label}
    </AriaCheckbox>
  );
}

export function Switch({
  label,
  isSelected,
  onChange,
}: {
  label: string;
  isSelected: boolean;
  onChange: (selected: boolean) => void;
}) {
  return (
    <AriaSwitch className="switch" isSelected={isSelected} onChange={onChange}>
      <span className="track" aria-hidden="true" />
      {label}
    </AriaSwitch>
  );
}
