// The page of what fits: four choices name a cell of the grid for each way of training, and what is asked of it is read off.

const grid = await unpack(document.getElementById('data').textContent);
const byId = id => document.getElementById(id);
const lists = { model: grid.models, machine: grid.machines, host: grid.host_gib, seqlen: grid.seqlens };

// The cells run over models, GPUs, methods, lengths and host memories, the last fastest.
const cellOf = (model, machine, method, seqlen, host) =>
  grid.cells[(((model * grid.machines.length + machine) * grid.methods.length + method) * grid.seqlens.length + seqlen)
    * grid.host_gib.length + host];
const fits = cell => cell.length > 1;

const speedText = speed => `${Math.round(speed).toLocaleString('en')} tok/s`;
const lengthText = length => length.toLocaleString('en');
const hoursText = hours => hours < 1 ? `${significant(60 * hours, 2)} minutes` : hours < 100 ? `${significant(hours, 3)} hours`
  : `${Math.round(hours).toLocaleString('en')} hours (${Math.round(hours / 24).toLocaleString('en')} days)`;
const moneyText = sum => sum < 100 ? sum.toFixed(2) : Math.round(sum).toLocaleString('en');
// A gain that no prediction tells from none is none.
const gainText = (speed, from) => speed / from - 1 < 0.005 ? 'nothing' : `+${significant(100 * (speed / from - 1), 2)}%`;

const optionsOf = {
  model: m => `${m.name} (${significant(m.parameters / 1e9, 3)}B)`,
  machine: m => `${m.name} (${significant(m.device_gib, 3)} GiB)`,
  host: h => `${h} GiB`,
  seqlen: lengthText,
};

const chosen = id => byId(id).selectedIndex;
const number = id => { const value = parseFloat(byId(id).value); return value > 0 ? value : null; };

const lacking = (cell, length) => cell.length === 1
  ? `Sequences of ${lengthText(length)} tokens take at least ${lengthText(cell[0])} GiB of host memory.`
  : `Sequences of ${lengthText(length)} tokens do not fit this GPU, whatever the host memory.`;

const panelOf = (method, at) => {
  const [model, machine, host, seqlen] = [at.model, at.machine, at.host, at.seqlen];
  const cell = cellOf(model, machine, method, seqlen, host);
  const longest = grid.seqlens.filter((_, s) => fits(cellOf(model, machine, method, s, host))).at(-1);
  const title = element('h2', {}, grid.methods[method]);
  const most = longest === undefined ? 'No length fits with so much host memory.'
    : `Longest sequences that fit: ${lengthText(longest)} tokens.`;
  if (!fits(cell)) {
    return element('article', { class: 'panel no' }, title, element('p', {}, element('strong', {}, 'does not fit')),
      element('p', {}, lacking(cell, grid.seqlens[seqlen])), element('p', {}, most));
  }
  const [speed, step, device, hostGib, moreDevice, moreHost, faster] = cell;
  const [tokens, price] = [number('tokens'), number('price')];
  const hours = tokens === null ? null : tokens * 1e6 / speed / 3600;
  const rows = [
    ['time', hours === null ? 'give a number of tokens' : hoursText(hours)],
    ['cost', hours === null || price === null ? 'give tokens and a price' : moneyText(hours * price)],
    ['a step', `${lengthText(step)} tokens or more`],
    ['memory', `${significant(device, 3)} GiB device, ${significant(hostGib, 3)} GiB host`],
    ['1 GiB more device', gainText(moreDevice, speed)],
    ['1 GiB more host', gainText(moreHost, speed)],
    ['links twice as fast', gainText(faster, speed)],
  ];
  return element('article', { class: 'panel' }, title, element('p', {}, element('strong', {}, speedText(speed))), element('p', {}, most),
    element('dl', {}, ...rows.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)])));
};

const show = () => {
  const at = Object.fromEntries(Object.keys(lists).map(id => [id, chosen(id)]));
  byId('answers').replaceChildren(...grid.methods.map((_, method) => panelOf(method, at)));
  byId('speeds').replaceChildren(
    element('tr', {}, element('th', { scope: 'col' }, 'tokens'),
      ...grid.methods.map(m => element('th', { class: 'number', scope: 'col' }, m))),
    ...grid.seqlens.map((length, s) => element('tr', { class: s === at.seqlen ? 'chosen' : null },
      element('th', { scope: 'row' }, lengthText(length)),
      ...grid.methods.map((_, method) => {
        const cell = cellOf(at.model, at.machine, method, s, at.host);
        return element('td', { class: 'number' },
          fits(cell) ? speedText(cell[0]) : cell.length === 1 ? `${lengthText(cell[0])} GiB host` : 'does not fit');
      }))));
  history.replaceState(null, '', '#' + new URLSearchParams({
    model: grid.models[at.model].name, machine: grid.machines[at.machine].name,
    host: grid.host_gib[at.host], seqlen: grid.seqlens[at.seqlen],
    tokens: byId('tokens').value, price: byId('price').value,
  }));
};

for (const [id, list] of Object.entries(lists)) {
  byId(id).append(...list.map(value => element('option', { value: value.name ?? value }, optionsOf[id](value))));
}
byId('model').selectedIndex = Math.max(0, grid.models.findIndex(m => m.name === 'llama-3.1-8b'));
byId('machine').selectedIndex = Math.max(0, grid.machines.findIndex(m => m.name === 'rtx4090'));
byId('host').selectedIndex = Math.min(1, grid.host_gib.length - 1);
byId('seqlen').selectedIndex = Math.min(1, grid.seqlens.length - 1);
for (const [id, value] of new URLSearchParams(location.hash.slice(1))) {
  const field = ['model', 'machine', 'host', 'seqlen', 'tokens', 'price'].includes(id) ? byId(id) : null;
  if (field && (field.tagName === 'INPUT' || [...field.options].some(o => o.value === value))) field.value = value;
}
byId('note').textContent = `Plans of `
  + `\`dataflow fit --grid\` (${grid.note}): simulated, nothing ran. Full training is in bf16-sr with AdamW; LoRA and QLoRA have rank `
  + '16 on every matrix of the layers, QLoRA on a base in 4 bits. A GPU gives plans 98% of its memory. A step has as many tokens as hide '
  + 'the update: larger ones are more rounds and take no more memory.';
byId('choice').addEventListener('input', show);
byId('choice').addEventListener('submit', event => event.preventDefault());
show();
document.documentElement.dataset.ready = '';
