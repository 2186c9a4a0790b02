// The chart of utilization over batch and length: heatmaps, and lines of latency below them.

// Batch by length: a heatmap, and below it on the same batches what a step takes, a line a length.
const utilizationDrawing = (figure, metric, colours, width, heading) => {
  const { name, unit, value, text } = utilizationMetrics[metric] ?? { name: '', unit: '', value: () => null, text: String };
  const batchOf = r => (r.seqs_per_step === null ? 'any' : String(r.seqs_per_step));
  const batches = [
    ...(figure.records.some(r => r.seqs_per_step === null) ? ['any'] : []),
    ...distinct(figure.records.map(r => r.seqs_per_step).filter(b => b !== null)).map(String),
  ];
  const lengths = distinct(figure.records.map(r => r.seq_len));
  const values = figure.beside.map(value).filter(v => v !== null);
  const [low, high] =
    values.length === 0
      ? [0, 1]
      : Math.min(...values) < Math.max(...values)
        ? [Math.min(...values), Math.max(...values)]
        : [values[0] * 0.99, values[0] * 1.01 || 1];
  const timed = lengths
    .map((seqlen, i) => ({
      seqlen,
      i,
      name: seqlen.toLocaleString('en'),
      points: figure.records.filter(r => r.seq_len === seqlen && r.latency_s !== null && r.seqs_per_step !== null),
    }))
    .filter(l => l.points.length > 0);
  const full = Math.max(Math.min(width, 106 + Math.max(4, batches.length) * 130), 106 + batches.length * 44);
  const { legend, legendHeight } = legendsOf(
    colours,
    width,
    timed.map(l => l.name),
  );
  const top = heading ? headingHeight : 6,
    map = Math.max(96, lengths.length * 30),
    scale = 74;
  const below = timed.length > 0 ? 254 + legendHeight : 0;
  const height = top + map + scale + 24 + below;
  const cell = r => {
    const at = [batches.indexOf(batchOf(r)), lengths.indexOf(r.seq_len)];
    const v = value(r);
    const label = { show: true, fontSize: 11 };
    if (v !== null)
      return { value: [...at, v], row: r.row, label: { ...label, formatter: text(v), color: inkAt(ramp, (v - low) / (high - low)) } };
    const black = r.state === 'did not fit';
    return {
      value: [...at, low],
      row: r.row,
      visualMap: false,
      itemStyle: { color: black ? '#000000' : colours.page, borderColor: colours.line },
      label: { ...label, fontSize: 10, formatter: black ? 'no fit' : r.state, color: black ? '#ffffff' : colours.text },
    };
  };
  const category = (data, title, gap, more) =>
    axisOf(colours, title, gap, {
      type: 'category',
      data,
      splitLine: { show: false },
      axisLabel: { ...plainText(colours), interval: 0 },
      ...more,
    });
  const sources = sourcesOf(figure.records);
  return {
    width: full,
    height,
    option: {
      ...chartBase(
        colours,
        full,
        heading && { title: `Utilization: ${figure.label}`, subtitle: `${name || 'nothing ran'}, ${sources}; black: did not fit` },
      ),
      grid: [
        { left: 96, right: 10, top, height: map, outerBoundsMode: 'none' },
        ...(below > 0 ? [{ left: 96, right: 10, top: top + map + scale + 24, bottom: legendHeight + 48, outerBoundsMode: 'none' }] : []),
      ],
      legend,
      xAxis: [
        category(batches, 'batch, sequences a step', 26),
        ...(below > 0 ? [category(batches, 'batch (lines: seqlen, tokens)', 26, { gridIndex: 1 })] : []),
      ],
      yAxis: [
        category(
          lengths.map(l => l.toLocaleString('en')),
          'seqlen, tokens',
          80,
        ),
        ...(below > 0
          ? [
              axisOf(colours, 'latency of a step, s', 80, {
                gridIndex: 1,
                ...scaleOf(
                  timed.flatMap(l => l.points.map(r => r.latency_s)),
                  10,
                  20,
                ),
                axisLabel: { ...plainText(colours), formatter: tickNumber },
              }),
            ]
          : []),
      ],
      visualMap: {
        type: 'continuous',
        orient: 'horizontal',
        left: 4,
        top: top + map + 42,
        itemWidth: 12,
        itemHeight: 130,
        min: low,
        max: high,
        inRange: { color: ramp },
        seriesIndex: 0,
        text: [`${text(high)} ${unit}`, text(low)],
        textStyle: plainText(colours),
        hoverLink: false,
        show: values.length > 0,
      },
      series: [
        {
          type: 'heatmap',
          itemStyle: { borderColor: colours.page, borderWidth: 1 },
          emphasis: { itemStyle: { borderColor: colours.text, borderWidth: 2 } },
          data: figure.records.map(cell),
        },
        ...timed.map(l => ({
          type: 'line',
          xAxisIndex: 1,
          yAxisIndex: 1,
          name: l.name,
          ...lineLook(colours, l.i, sourceDashes[figure.records[0].source]),
          data: l.points.map(r => ({ value: [batches.indexOf(batchOf(r)), r.latency_s], row: r.row })),
        })),
      ],
    },
  };
};
