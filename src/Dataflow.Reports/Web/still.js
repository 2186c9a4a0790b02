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

// Pictures of one size, two a row, under a title.
const drawSheet = (title, subtitle, pictures) => {
  const { width, height } = pictures[0];
  const columns = Math.min(2, pictures.length);
  const [all, head] = [columns * width, 52];
  const escaped = text => text.replace(/[&<>]/g, c => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c]);
  const line = (y, size, colour, text) => `<text x="12" y="${y}" font-size="${size}" fill="${colour}">${escaped(text)}</text>`;
  const sheet = head + Math.ceil(pictures.length / columns) * height;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${all}" height="${sheet}" viewBox="0 0 ${all} ${sheet}" font-family="system-ui, ` +
      `DejaVu Sans, sans-serif">` +
    `<rect width="100%" height="100%" fill="${paperColours.page}"/>${line(24, 17, paperColours.text, title)}` +
      `${line(43, 12, paperColours.quiet, subtitle)}` +
    pictures
      .map((picture, i) =>
        drawStill(picture).replace('<svg ', `<svg x="${(i % columns) * width}" y="${head + Math.floor(i / columns) * height}" `),
      )
      .join('') +
    '</svg>'
  );
};
