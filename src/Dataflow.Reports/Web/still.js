// Draws a figure without a browser: node reads the library, the options and this, and prints SVG. Light colours, as for paper.

const paperColours = { page: '#ffffff', text: '#1a2027', quiet: '#56616d', line: '#b7c0c9' };

// {option, width, height} as SVG.
const drawStill = ({ option, width, height }) => {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height });
  chart.setOption(option);
  const svg = chart.renderToSVGString();
  chart.dispose();
  // rsvg-convert and other programs that are no browsers know no baseline but the usual one.
  return svg.replaceAll('dominant-baseline="central"', 'dy="0.35em"');
};
