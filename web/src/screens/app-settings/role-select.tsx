import { useTranslation } from 'react-i18next';
import { Select } from '../../ui/fields.tsx';
import { type Role, roles } from './roles.ts';

/**
 * What somebody, or what holds a key, may do.
 *
 * @param hiddenLabel stands in place of "May" where the line around it says whose role it is
 */
export function RoleSelect({
  value,
  hiddenLabel,
  onChange,
}: {
  value: Role | undefined;
  hiddenLabel?: string;
  onChange: (role: Role) => void;
}) {
  const { t } = useTranslation();
  return (
    <Select
      label={hiddenLabel ?? t('people.may')}
      hideLabel={hiddenLabel !== undefined}
      choices={roles.map((id) => ({ id, label: t(`role.${id}`), detail: t(`role.${id}Words`) }))}
      value={value}
      onChange={(next) => onChange(next as Role)}
    />
  );
}
