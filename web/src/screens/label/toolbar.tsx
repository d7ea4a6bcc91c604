import {
  Dialog as AriaDialog,
  DialogTrigger,
  Label,
  Popover,
  Slider,
  SliderThumb,
  SliderTrack,
} from 'react-aria-components';
import { useTranslation } from 'react-i18next';
import type { Editor } from '../../canvas/editor.ts';
import type { EditorState } from '../../canvas/editor-state.ts';
import { plain } from '../../canvas/painter.ts';
import type { Tool } from '../../canvas/pointer.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { Switch } from '../../ui/fields.tsx';
import type { IconName } from '../../ui/icon.tsx';

const buttons: readonly (readonly [Tool, IconName, string])[] = [
  ['select', 'select', 'V'],
  ['box', 'box', 'R'],
  ['polygon', 'polygon', 'P'],
  ['brush', 'brush', 'B'],
  ['eraser', 'eraser', 'E'],
  ['point', 'point', 'K'],
  ['segment', 'segment', 'S'],
  ['pan', 'hand', 'Space'],
];

/** What the pointer does on the canvas, and how the picture is shown. */
export function Toolbar({
  editor,
  state,
  canSegment,
}: {
  editor: Editor;
  state: EditorState;
  /** Whether there is a model to ask. */
  canSegment: boolean;
}) {
  const { t } = useTranslation();
  const isBrush = state.tool === 'brush' || state.tool === 'eraser';
  return (
    <div className="toolbar" role="toolbar" aria-label={t('tools.label')} aria-orientation="vertical">
      {buttons
        .filter(([tool]) => tool !== 'segment' || canSegment)
        .map(([tool, icon, shortcut]) => (
          <IconButton
            key={tool}
            icon={icon}
            label={t(`tools.${tool}`)}
            shortcut={shortcut}
            aria-pressed={state.tool === tool}
            onPress={() => editor.setTool(tool)}
          />
        ))}
      {isBrush && (
        <Slider
          className="brush-size"
          orientation="vertical"
          aria-label={t('tools.brushSize')}
          minValue={1}
          maxValue={200}
          value={state.brushRadius}
          onChange={(radius) => editor.setBrushRadius(radius)}
        >
          <SliderTrack className="slider-track vertical">
            <SliderThumb className="slider-thumb" />
          </SliderTrack>
        </Slider>
      )}
      <DialogTrigger>
        <IconButton icon="theme" label={t('tools.adjust')} />
        <Popover className="popover" placement="right">
          <AriaDialog className="dialog adjust" aria-label={t('tools.adjust')}>
            {(['brightness', 'contrast', 'saturation'] as const).map((name) => (
              <Slider
                key={name}
                minValue={0}
                maxValue={3}
                step={0.05}
                value={state.adjustments[name]}
                onChange={(value) => editor.setAdjustments({ ...state.adjustments, [name]: value })}
              >
                <Label>{t(`tools.${name}`)}</Label>
                <SliderTrack className="slider-track">
                  <SliderThumb className="slider-thumb" />
                </SliderTrack>
              </Slider>
            ))}
            <Switch
              label={t('tools.invert')}
              isSelected={state.adjustments.isInverted}
              onChange={(isInverted) => editor.setAdjustments({ ...state.adjustments, isInverted })}
            />
            <Button isSmall onPress={() => editor.setAdjustments(plain)}>
              {t('tools.reset')}
            </Button>
          </AriaDialog>
        </Popover>
      </DialogTrigger>
    </div>
  );
}
