'use strict'
const data = JSON.parse(document.getElementById('data').textContent), PAGE = 100
const $ = id => document.getElementById(id), groups = ['group', 'family', 'difficulty', 'source', 'phrasing']
const make = (tag, style, ...inside) => {
  const e = document.createElement(tag); if (style) e.className = style
  e.append(...inside.map(x => typeof x === 'string' ? visible(x) : x)); return e }
const visible = s => s.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, c => c < '\x20' ? String.fromCharCode(0x2400 +
  c.charCodeAt(0)) : named(c)).replace(/[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]/gu, named)
const named = c => '\u27e8U+' + c.codePointAt(0).toString(16).toUpperCase().padStart(4, '0') + '\u27e9'
const kind = a => a.verdict === 'equal' ? 'right' : a.verdict === 'different' ? 'wrong' : 'unsure'
const badge = answers => {
  const right = answers.filter(a => a.verdict === 'equal').length, one = answers.length === 1
  return make('span', 'badge ' + (one ? kind(answers[0]) : right ? 'right' : 'wrong'),
    !answers.length ? 'none' : one ? {right: 'right', wrong: 'different', unsure: 'unknown'}[kind(answers[0])]
    : right + ' of ' + answers.length) }
const plain = ['right', 'other', 'lost', 'input', 'cost', 'missing', 'abstained']   // the reason says it all
const section = (title, text) => [make('h3', '', title), make('pre', '', text)]

function answer(a, run, samples) {
  const e = make('div'), which = (samples.length > 1 ? ', samples ' : ', sample ') + samples.join(', ')
  e.append(make('h3', '', run + (sampled ? which : '')))
  const none = {missing: '(there is no completion)', abstained: '(no answer, on purpose)'}[a.mistake]
  e.append(make('pre', '', none || a.text || '(empty)'))
  const said = a.reason + (a.sampled ? ' (sampled: too many answer sets to list)' : '')
  e.append(make('p', '', badge([a]), said + '. ', make('small', 'quiet', plain.includes(a.mistake) ? '' :
    data.mistakes[a.mistake] + '. ', (a.seconds * 1000).toFixed(0) + ' ms')))
  if (a.witness) e.append(make('p', '', a.witness[0]), make('pre', '', a.witness[1]))
  if (a.aligned) e.append(make('p', '', a.aligned))
  if (a.messages) e.append(...section('What the solver and the lint say', a.messages))
  return e }

function alike(found) {   // answers with the same text, as lists
  const lists = new Map()
  for (const a of found) lists.set(a.text, [...lists.get(a.text) || [], a])
  return [...lists.values()] }

const sampled = data.tasks.some(t => t.answers.some(x => x.length > 1))
function inside(task) {
  const programs = make('div', 'programs', make('div', '', ...section('gold program', task.gold)))
  task.answers.forEach((found, r) => alike(found).forEach(same =>
    programs.append(answer(same[0], data.runs[r], same.map(a => a.sample)))))
  return make('div', 'inside', ...section('description', task.text), programs) }

function line(task) {
  const e = make('details'), short = groups.map(g => task[g].split(' (')[0])
  const about = short.filter(x => x !== 'none' && x !== 'as written').join(', ')
  e.append(make('summary', '', ...task.answers.map(badge), make('code', '', task.id), ' ',
    make('small', 'quiet', about)))
  e.addEventListener('toggle', () => { if (e.open && e.children.length === 1) e.append(inside(task)) })
  return e }

const texts = new Map()
function text(task) {
  if (!texts.has(task)) texts.set(task, [task.id, task.text, task.gold,
    ...task.answers.flat().flatMap(a => [a.text, a.messages || ''])].join('\n').toLowerCase())
  return texts.get(task) }
const fits = (a, want) => !want || (want === 'not' ? !a || a.verdict !== 'equal' : a && a.mistake === want)
function matches(task, q) {
  if (!groups.every(g => !q[g] || task[g] === q[g])) return false
  if (q.q && !q.q.toLowerCase().split(/\s+/).every(word => text(task).includes(word))) return false
  const wants = data.runs.map((_, r) => q['m' + r]), samples = Math.max(1, ...task.answers.map(x => x.length))
  return [...Array(samples).keys()].some(s => wants.every((w, r) => fits(task.answers[r][s], w))) }

const fields = ['q', ...groups, ...data.runs.map((_, r) => 'm' + r)].map($).filter(Boolean)
let found = [], drawn = 0
function more() {
  $('list').append(...found.slice(drawn, drawn + PAGE).map(line)); drawn = Math.min(drawn + PAGE, found.length)
  $('more').hidden = drawn === found.length }
function draw() {
  const q = Object.fromEntries(fields.map(f => [f.id, f.value]))
  found = data.tasks.filter(t => matches(t, q)); drawn = 0
  $('list').replaceChildren(); more()
  $('count').textContent = found.length + ' of ' + data.tasks.length + ' tasks' }
function read() {
  const q = new URLSearchParams(location.hash.slice(1))
  for (const f of fields) f.value = q.get(f.id) || ''
  draw()
  if (q.get('open')) { const e = $('list').firstElementChild; if (e) { e.open = true; e.append(inside(found[0])) } }
  if (location.hash) $('tasks').scrollIntoView() }
function write() {
  const q = new URLSearchParams(fields.filter(f => f.value).map(f => [f.id, f.value]))
  history.replaceState(null, '', '#' + q); draw() }

for (const g of groups) {
  const values = [...new Set(data.tasks.map(t => t[g]))]
  if (values.length < 2) $(g).parentElement.hidden = true
  else $(g).append(...values.map(v => new Option(visible(v), v))) }
data.runs.forEach((_, r) => {
  const seen = new Set(data.tasks.flatMap(t => t.answers[r].map(a => a.mistake)))
  $('m' + r).append(new Option('not right', 'not'), ...Object.keys(data.mistakes).filter(m => seen.has(m)).map(m =>
    new Option(m.replace('_', ' '), m))) })
fields.forEach(f => f.addEventListener('input', write))
$('form').addEventListener('submit', e => e.preventDefault())
$('more').addEventListener('click', more)
addEventListener('hashchange', read)
read()
