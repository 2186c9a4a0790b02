// Data that WebText.Packed packed: base64 of deflated JSON, a twentieth of the JSON for a timeline.

const unpack = async text => {
  const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
  return JSON.parse(await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'))).text());
};
