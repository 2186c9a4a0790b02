// Draws a figure without a browser: node reads the library, the options and this, and prints SVG. Light colours, as for paper.

const drawStill = figure => {
  const [set, against] = figure.sets;
  const { width, height } = heatmapSize(set, 640);
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height: height + 48 });
  chart.setOption(heatmapOption(set, figure.metric, against ?? null, { page: '#ffffff', text: '#1a2027', quiet: '#56616d', line: '#b7c0c9' }, true));
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
};
