import { BarChart, LineChart } from 'echarts/charts';
import { AriaComponent, GridComponent, LegendComponent, TooltipComponent } from 'echarts/components';
import * as echarts from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';
import { useEffect, useRef } from 'react';
import { useIsDark } from '../app/preferences.ts';
import { palette } from '../gallery/colors.ts';

echarts.use([
  BarChart,
  LineChart,
  GridComponent,
  LegendComponent,
  TooltipComponent,
  AriaComponent,
  CanvasRenderer,
]);

export interface Curve {
  readonly name: string;
  readonly points: readonly (readonly [number, number])[];
}

export interface Axis {
  readonly name: string;
  readonly min?: number;
  readonly max?: number;
}

/** Curves or bars in the colours of the page. Tooltips are drawn, not written as markup, so the content policy holds. */
export default function Chart({
  label,
  curves,
  bars,
  x,
  y,
  height = 280,
  onPress,
}: {
  label: string;
  curves?: readonly Curve[];
  bars?: { readonly names: readonly string[]; readonly values: readonly number[] };
  x: Axis;
  y: Axis;
  height?: number;
  /** A point or a bar was pressed: which curve, and which point of it. */
  onPress?: (series: number, index: number) => void;
}) {
  const holder = useRef<HTMLDivElement>(null);
  const isDark = useIsDark();
  // biome-ignore lint/correctness/useExhaustiveDependencies: colours are read again when the theme changes
  useEffect(() => {
    const element = holder.current as HTMLDivElement;
    const styles = getComputedStyle(element);
    const text = styles.getPropertyValue('color');
    const line = getComputedStyle(document.body).getPropertyValue('border-color') || text;
    const chart = echarts.init(element, undefined, { renderer: 'canvas' });
    const axis = ({ name, min, max }: Axis) => ({
      name,
      nameLocation: 'middle' as const,
      nameGap: 28,
      ...(min === undefined ? {} : { min }),
      ...(max === undefined ? {} : { max }),
      axisLabel: { color: text },
      nameTextStyle: { color: text },
      splitLine: { lineStyle: { color: line, opacity: 0.25 } },
    });
    chart.setOption({
      color: [...palette],
      animation: false,
      aria: { enabled: true, label: { description: label } },
      textStyle: { color: text },
      grid: { left: 56, right: 16, top: 32, bottom: 44 },
      legend:
        curves && curves.length > 1
          ? { textStyle: { color: text }, top: 0, type: 'scroll' }
          : { show: false },
      tooltip: { trigger: bars ? 'axis' : 'item', renderMode: 'richText' },
      xAxis: bars ? { ...axis(x), type: 'category', data: bars.names } : { ...axis(x), type: 'value' },
      yAxis: { ...axis(y), type: 'value' },
      series: bars
        ? [{ type: 'bar', data: bars.values }]
        : (curves ?? []).map(({ name, points }) => ({
            type: 'line',
            name,
            data: points,
            showSymbol: points.length < 40,
            symbolSize: 7,
          })),
    });
    if (onPress) chart.on('click', ({ seriesIndex, dataIndex }) => onPress(seriesIndex ?? 0, dataIndex));
    const observer = new ResizeObserver(() => chart.resize());
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.dispose();
    };
  }, [curves, bars, x, y, label, onPress, isDark]);
  return <div ref={holder} className="chart" style={{ height }} role="img" aria-label={label} />;
}
