// What a prompt says of the model's world, what it leaves open, and the sentence that the model reads.
//
// As storyreel/generate/open_attributes.py has it: where the world has a thesaurus, a prompt is read with it, the
// character is dressed, and all is restated in the commonest words of the training captions; otherwise what was drawn
// is added to the prompt. What is drawn depends on the seed alone, with other random numbers than in Python.

import { random } from "./sampler.js";

const TOKEN = /[\p{L}\p{N}]+(?:'s)?|[,.;:/|!?()\n]/gu;

export class Prompts {
  constructor(data) {
    this.attributes = data.attributes ?? {};
    this.thesaurus = data.thesaurus;
    this.completion = data.completion;
    this.drawable = data.drawable;
    this.words = data.caption;
    this.examples = data.examples ?? [];
    if (!this.thesaurus) return;
    this.phrases = new Map(Object.entries(this.thesaurus.phrases));
    this.callings = new Map(Object.entries(this.thesaurus.callings));
    const phrases = [...this.phrases.keys(), ...this.callings.keys()];
    this.known = new Set([...Object.keys(this.thesaurus.spelling), ...phrases.flatMap((phrase) => phrase.split(" "))]);
    this.garments = new Set(this.thesaurus.garments);
    this.ordinary = new Set(this.thesaurus.ordinary);
    this.colors = new Set(this.thesaurus.colors);
  }

  // {text: what the model reads, added: [what the prompt does not say and was drawn]}
  completed(prompt, seed) {
    const found = this.thesaurus ? this.read(prompt) : this.#said(prompt);
    const made = this.thesaurus ? this.#implied(prompt, found) : {};
    const draw = random(seed, 2);
    const implied = this.#runs(prompt);
    for (const [name, attribute] of Object.entries(this.attributes)) {
      const values = Object.entries(attribute.values).filter(([, value]) => value.weight);
      const fixed = Object.values({ ...found, ...made }).some((value) => attribute.fixed_by.includes(value));
      if (name in found || name in made || !values.length || fixed) continue;
      const value = longest(implied, attribute, "implied_by") || weighted(values, draw, seed === 0);
      if (attribute.values[value].phrase) made[name] = value;
    }
    if (this.completion && Object.keys({ ...found, ...made }).length) {
      for (const [name, value] of Object.entries(this.#dressed({ ...found, ...made }, draw, seed === 0)))
        if (!(name in found)) made[name] = value;
    }
    const said = ([name, value]) => this.attributes[name]?.values[value]?.phrase || value;
    const added = Object.entries(made).map(said);
    if (this.words) return { text: this.caption(this.#drawable({ ...made, ...found })), added };
    const rest = added.length ? `${prompt.replace(/[ .,;]+$/, "")}, ${added.join(", ")}` : prompt;
    return { text: rest, added };
  }

  // Attribute -> value, by the thesaurus. What no caption says gives way to what one says.
  read(prompt) {
    const { roles, fighting, throwing, pronouns, helmets, holding, carried, plain, naked } = this.thesaurus;
    const [said, less] = [{}, {}];
    const kinds = [];
    let [fights, throws, noun] = [false, false, false];
    const { kept, denied } = this.#words(prompt);
    for (const { words, meaning } of this.#saidPhrases(kept)) {
      if (!(meaning?.length > 1)) kinds.push(...Object.keys(plain).filter((kind) => plain[kind].includes(words.at(-1))));
      const [definite, ...pairs] = meaning ?? [0, ...sexed(words[0])];
      let says = false;
      for (const [name, value] of pairs) {
        const target = definite && !(name === "sex" && roles.includes(words.at(-1))) ? said : less;
        if (name === "sex" && target === less) {
          says = true;
          if (noun) delete less.sex; // of a barbarian queen, the queen counts
        }
        if (value !== "shield" && target[name] === "shield") target[name] = value; // of a sword and a shield, the sword
        target[name] ??= value;
      }
      noun = says;
      fights ||= words.some((word) => fighting.includes(word));
      throws ||= words.some((word) => throwing.includes(word));
    }
    if (said.weapon === "shield" && less.weapon) said.weapon = less.weapon;
    for (const [name, value] of this.#plain(kinds, kept)) if (!(name in said)) less[name] ??= value;
    for (const name of this.#denied(denied)) if (name in naked && !(name in said)) less[name] ??= naked[name];
    const holds = kept.some((word) => holding.includes(word));
    const weapon = said.weapon ?? less.weapon;
    fights ||= throws && Boolean(weapon);
    if (holds && !fights && !said.action && (!weapon || carried.includes(weapon))) less.action ??= "walk";
    const all = { ...this.#oneColor(kept, { ...less, ...said }), ...less, ...said };
    if ((all.facial_hair || this.#whiskers(kept)) && all.head in helmets) said.head = helmets[all.head];
    const pronoun = kept.find((word) => word in pronouns);
    return {
      ...(pronoun ? { sex: pronouns[pronoun] } : {}),
      ...(fights ? { action: this.thesaurus.attacks[all.weapon] ?? "slash" } : {}),
      ...all, ...said,
    };
  }

  // Without a verb that stands right before who is named first: a fire mage fires nothing.
  #saidPhrases(words) {
    const { verbs } = this.thesaurus;
    const found = [...cut(words, this.phrases)];
    const first = found.findIndex(({ words, meaning }) => this.#isSomebody(words, meaning));
    if (first > 0 && found[first - 1].words.length === 1 && verbs.includes(found[first - 1].words[0])) found.splice(first - 1, 1);
    return found;
  }

  #isSomebody(words, meaning) {
    const said = meaning?.length > 1 ? meaning.slice(1) : sexed(words[0]);
    if (this.thesaurus.roles.includes(words.at(-1)) || this.callings.has(words.join(" "))) return true;
    return said.some(([name]) => name === "sex" || name === "body");
  }

  #whiskers(words) {
    const { whiskers } = this.thesaurus;
    return Object.keys(whiskers).find((each) => whiskers[each].some((word) => words.includes(word)));
  }

  // Garments of no color: in the one that a calling has, or a plain one.
  #plain(kinds, words) {
    const worn = [...cut(words, this.callings)].flatMap(({ meaning }) => (meaning ?? []).map(([, value]) => value));
    return kinds.map((kind) => {
      const [name, label] = kind.split("=");
      return [name, worn.find((value) => value.split(" ").at(-1) === label.split(" ").at(-1)) ?? label];
    });
  }

  // The attributes that these phrases would say.
  #denied(phrases) {
    const whiskers = Object.values(this.thesaurus.whiskers).flat();
    const names = phrases.flatMap((phrase) => (this.phrases.get(phrase.join(" ")) ?? []).slice(1).map(([name]) => name));
    if (phrases.some((phrase) => phrase.some((word) => whiskers.includes(word)))) names.push("facial_hair");
    return [...new Set(names)];
  }

  // "a ninja in black": a robe, or a woman's dress, of that color, where no clothes are named.
  #oneColor(words, said) {
    if ("torso" in said) return {};
    const { clad_in, after_clothes, stand_ins } = this.thesaurus;
    const clad = [...cut(words, this.callings)].some(({ meaning }) => (meaning ?? []).some(([name]) => name === "torso"));
    const garment = said.sex === "female" ? "dress" : "robe";
    let found = null;
    const says = (word, names) => (this.phrases.get(word) ?? []).slice(1).some(([name]) => names.includes(name));
    for (let i = 0; i + 1 < words.length; i++) {
      const [, ...worn] = this.phrases.get(`${words[i + 1]} ${garment}`) ?? [];
      const after = words[i + 2] ?? ".";
      const ends = !/^[\p{L}\p{N}]/u.test(after) || after_clothes.includes(after) || says(after, ["action", "facing"]) || after.endsWith("ing");
      if (!worn.length || !ends || !(clad_in.includes(words[i]) || (found && words[i] === "and"))) continue;
      if (!stand_ins.includes(`${words[i + 1]} ${garment}`)) return Object.fromEntries(worn);
      found ??= Object.fromEntries(worn);
    }
    return clad ? {} : found ?? {};
  }

  // What goes with what is said: a knight's armor, the thrust of a spear.
  #implied(prompt, said) {
    const { covered, attacks, mens, unarmed, sideways, front, helmets, fists, gilded, staves } = this.thesaurus;
    const { monsters } = this.completion;
    let found = {};
    const { kept: words, denied } = this.#words(prompt);
    for (const { meaning } of cut(words, this.callings))
      for (const [name, value] of meaning ?? []) if (!(name in said)) found[name] ??= value;
    for (const name of this.#denied(denied)) delete found[name];
    if (covered.includes(found.head) && (said.hair_color || said.hair_style)) delete found.head;
    if ((said.sex ?? found.sex) === "female") delete found.facial_hair;
    if (said.body === "skeleton")
      found = Object.fromEntries(
        Object.entries(found).filter(([name, v]) => ["action", "facing", "weapon"].includes(name) || v === "red bandana"),
      );
    if ((said.sex ?? found.sex) === "female" && mens.includes(found.torso)) delete found.torso;
    const hidden = covered.includes(said.head ?? found.head);
    if (hidden) delete found.hair_color;
    const armed = said.weapon ?? found.weapon;
    const walks = armed === "shield" || words.some((word) => staves.includes(word));
    const action = walks ? "walk" : attacks[armed];
    if (!said.action && action) found.action = action;
    const does = said.action ?? found.action;
    const bare = words.some((word) => fists.includes(word));
    if (does in unarmed && !said.weapon && !found.weapon && !bare) found.weapon = unarmed[does];
    const weapon = said.weapon ?? found.weapon;
    const turned = said.facing || found.facing;
    if (!turned && front.includes(weapon)) found.facing = "down";
    else if (!turned && does === "slash" && monsters.includes(said.body)) found.facing = "down";
    else if (!turned && (sideways.includes(does) || weapon === "spear")) found.facing = "right";
    const kind = this.#whiskers(words);
    const hairless = hidden || said.hair_style === "bald";
    if (said.facial_hair) {
      if (!said.hair_color && !hairless) found.hair_color = said.facial_hair.split(" ")[0];
    } else if (kind) {
      const color = said.hair_color ?? found.hair_color ?? "brown";
      if (!said.hair_color && !hairless) found.hair_color = color;
      found.facial_hair = `${color} ${kind}`;
    } else if (found.facial_hair && said.hair_color) {
      found.facial_hair = `${said.hair_color} ${found.facial_hair.split(" ").slice(1).join(" ")}`;
    }
    if ((said.facial_hair ?? found.facial_hair) && found.head in helmets) found.head = helmets[found.head];
    if (said.torso === "golden armor" && does !== "hurt") // in which no golden helmet is drawn
      for (const name of Object.keys(found)) found[name] = gilded[found[name]] ?? found[name];
    if (said.body === "dark elf") found.ears = "elven";
    return found;
  }

  // {kept: the words as the thesaurus spells them, without what is denied, denied: [phrases]}
  #words(prompt) {
    const { spelling, adjectives, denying, between, unseen } = this.thesaurus;
    const american = (word) => (Object.hasOwn(spelling, word) ? spelling[word] : word);
    const near = tokens(prompt, this.thesaurus).flatMap((word) => this.#spelled(word)).map(american);
    const spelled = near.filter((word) => !unseen.includes(word));
    const words = colorFirst(spelled, this.phrases, this.garments, this.colors, adjectives);
    return affirmed(words, (phrase) => this.phrases.has(phrase) || this.callings.has(phrase), denying, between);
  }

  // A word with a slip as the word that it nearly is, and two words in one as two.
  #spelled(word) {
    if (word.length < 5 || word.endsWith("'s") || this.known.has(word) || this.ordinary.has(word)) return [word];
    if (word.endsWith("s") && this.known.has(word.slice(0, -1))) return [word.slice(0, -1)];
    for (let i = 0; i + 1 < word.length; i++) {
      const other = word.slice(0, i) + word[i + 1] + word[i] + word.slice(i + 2);
      if (this.known.has(other)) return [other];
    }
    for (let i = 1; i < word.length; i++) {
      const other = word.slice(0, i) + word.slice(i + 1);
      if (word[i] === word[i - 1] && this.known.has(other)) return [other];
    }
    if (word.length < 6) return [word];
    for (let i = 3; i <= word.length - 3; i++) {
      const [first, second] = [word.slice(0, i), word.slice(i)];
      if (this.known.has(first) && this.thesaurus.nouns.includes(second)) return [first, second];
    }
    if (word.endsWith("woman")) return [word];
    let [best, found] = [0.9, word]; // the likeness that Python's difflib is asked for
    for (const other of this.known) {
      const near = other[0] === word[0] && Math.abs(other.length - word.length) < 2;
      const alike = near ? likeness(word, other) : 0;
      if (alike >= best) [best, found] = [alike, other];
    }
    return [found];
  }

  // Of random characters the one that fits what is said: the parts of it that are left open and seen.
  #dressed(said, draw, likeliest) {
    const c = this.completion;
    const names = Object.keys(c.values);
    const bones = said.body === "skeleton";
    const unfit = ([, torsos], seen) => !torsos.some((torso) => (said.torso ?? seen.torso ?? "").endsWith(torso));
    const ends = (torso, names) => names.some((name) => torso.endsWith(name));
    const unfitTorso = (torso) =>
      (ends(torso, c.armor) && !c.helmets.includes(said.head)) || (ends(torso, c.gowns) && !said.sex);
    const wild = (seen) => !said.sex && seen.sex !== "male" && (c.monsters.includes(said.body) || "facial_hair" in said);
    const unusual = (seen) => [
      ...[said.torso ?? seen.torso ?? ""].filter(unfitTorso),
      ...(bones ? c.gilded : c.unusual),
      ...Object.entries(c.only_with).filter((each) => unfit(each, seen)).map(([value]) => value),
    ];
    let [best, most] = [{}, -Infinity];
    for (let i = 0; i < c.draws; i++) {
      const person = c.characters[Math.floor(draw() * c.characters.length)];
      const seen = Object.fromEntries(names.map((name, at) => [name, c.values[name][person[at]]]));
      const right = Object.entries(said).reduce(
        (sum, [name, value]) => sum + (seen[name] === value ? (c.weights[name] ?? 5) : 0), 0);
      const odd = c.clothes.filter((name) => !(name in said) && unusual(seen).includes(seen[name])).length;
      const fit = right - 4 * odd - 10 * wild(seen) - 2 * (seen.cape !== null);
      if (fit > most) [best, most] = [seen, fit];
    }
    let found = {};
    for (const name of bones ? c.clothes : ["sex", ...c.clothes])
      if (!(name in said) && best[name]) found[name] = best[name];
    for (const name in c.plain) if (unusual(best).includes(found[name])) found[name] = c.plain[name];
    if (bones && !c.clothes.some((name) => name in said)) found = { ...c.bones };
    const hidden = c.hides[(said.torso ?? found.torso ?? "").split(" ").at(-1)] ?? [];
    for (const name of hidden) delete found[name];
    if (hidden.includes("feet") && !said.feet && (said.sex ?? found.sex) === "male") found.feet = c.shoes;
    if (c.hairless.includes(said.body)) {
      if (!("head" in said)) found.head = "bare head";
      if ((said.head ?? found.head) === "bare head" && !said.hair_color && !said.hair_style) found.hair_style = "bald";
    } else if (!c.covered.includes(said.head) && said.hair_style !== "bald") {
      const styles = c.hair_style[said.sex ?? found.sex] ?? c.hair_style.male;
      const colors = Object.entries(c.hair_color).map(([color, weight]) => [color, { weight }]);
      found.hair_color = said.hair_color ?? weighted(colors, draw, likeliest);
      found.hair_style = said.hair_style ?? styles[likeliest ? 0 : Math.floor(draw() * styles.length)];
    }
    return found;
  }

  // The attributes as the world's sheets can show them together, or what comes nearest.
  #drawable(seen) {
    const { instead, dresses, hidden_by } = this.drawable;
    const found = { ...seen };
    if (found.sex === "male" && found.facial_hair && found.head === "tiara") delete found.head;
    if (found.sex === "male")
      for (const [name, swaps] of Object.entries(instead)) found[name] = swaps[found[name]] ?? found[name];
    const dress = (found.torso ?? "").replace(" robe", " dress");
    if (["thrust", "shoot"].includes(found.action) && found.sex !== "male" && dresses.includes(dress)) found.torso = dress;
    const hidden = Object.entries(hidden_by).flatMap(([name, values]) => values[found[name]] ?? []);
    const robed = found.sex === "male" && (found.torso ?? "").endsWith(" robe"); // drawn by models alone, with his feet
    for (const name of hidden) if (!(robed && name === "feet")) delete found[name];
    return found;
  }

  // A caption that says all of these attributes: "a tanned woman with long red hair wearing ... walking facing left".
  caption(seen) {
    const w = this.words;
    const worn = (group) => w.worn[group]?.[seen[group]];
    const bare = ["torso", "feet", "head"].filter((group) => seen[group] && seen[group] === w.bare[group]);
    const people = w.people[seen.body];
    const person = people ? (seen.sex && seen.body !== "skeleton" ? `${seen.sex} ${people}` : people)
      : [w.skin[seen.body], seen.ears ? w.elven : "", w.sex[seen.sex] ?? "person"].filter(Boolean).join(" ");
    const hair = seen.hair_style
      ? w.hair_style[seen.hair_style]?.replace("{c}", w.hair_color[seen.hair_color] ?? "").replace(/ +/g, " ").trim()
      : seen.hair_color && `${w.hair_color[seen.hair_color]} hair`;
    const [color, ...kind] = (seen.facial_hair ?? "").split(" ");
    const beard = w.facial_hair[kind.join(" ")]?.replace("{c}", w.hair_color[color]);
    const features = [hair, beard, seen.eyes && `${seen.eyes} eyes`, ...bare.map(worn)].filter(Boolean);
    const clothes = ["torso", "legs", "feet", "head", "hands", "belt", "cape"]
      .filter((group) => !bare.includes(group)).map(worn).filter(Boolean);
    return [
      article(person), features.length ? `with ${listed(features)}` : "",
      clothes.length ? `wearing ${listed(clothes)}` : "", this.#doing(seen),
    ].filter(Boolean).join(" ");
  }

  #doing(seen) {
    const w = this.words;
    const facing = seen.action === "hurt" ? "" : (w.facing[seen.facing] ?? "").replace("{p}", "the");
    const weapon = w.weapon[seen.weapon] ?? "";
    const action = w.action[seen.action];
    if (!action) return [weapon && `with ${weapon}`, facing].filter(Boolean).join(" ");
    if (weapon && action.armed) return `${action.armed.replace("{w}", weapon)} ${facing}`.trim();
    return `${action.alone} ${facing}`.trim() + (weapon ? `, ${weapon} in hand` : "");
  }

  // Attribute -> value, by the words of the attributes alone.
  #said(prompt) {
    const runs = this.#runs(prompt);
    const found = Object.entries(this.attributes).map(([name, attribute]) => [name, longest(runs, attribute, "words")]);
    return Object.fromEntries(found.filter(([, value]) => value));
  }

  #runs(prompt) {
    const words = plainWords(prompt);
    const runs = new Set();
    for (let n = 1; n < 8; n++) for (let i = 0; i + n <= words.length; i++) runs.add(words.slice(i, i + n).join(" "));
    return runs;
  }
}

const plainWords = (text) => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
const listed = (all) => (all.length > 1 ? `${all.slice(0, -1).join(", ")} and ${all.at(-1)}` : all.join(""));
const article = (noun) => `${/^[aeiou]/.test(noun) ? "an" : "a"} ${noun}`;

function tokens(text, { spelling }) {
  const spoken = text.toLowerCase().replaceAll("’", "'").replace(/\bw\/(o\b)?/g, (_, o) => (o ? "without " : "with "));
  const found = spoken.replaceAll("-", " ").match(TOKEN) ?? [];
  return found.map((word) => (Object.hasOwn(spelling, word) ? spelling[word] : word));
}

// The words cut into the longest known phrases, with their meanings, and single words (null).
function* cut(words, known) {
  for (let at = 0; at < words.length; ) {
    let length = Math.min(10, words.length - at);
    while (length > 1 && !known.has(words.slice(at, at + length).join(" "))) length--;
    const phrase = words.slice(at, at + length);
    yield { words: phrase, meaning: known.get(phrase.join(" ")) ?? null };
    at += length;
  }
}

// The words with a garment's color right before it, as storyreel/worlds/sprites_spelling.py has it.
function colorFirst(tokens, phrases, garments, colors, adjectives) {
  const words = [...tokens];
  tokens.forEach((color, at) => {
    if (!colors.has(color)) return;
    let end = at + 1;
    while (adjectives.includes(tokens[end])) end++;
    const whole = [at, at + 1].some((from) => phrases.has(tokens.slice(from, end + 1).join(" ")));
    if (end > at + 1 && !whole && garments.has(`${color} ${tokens[end]}`)) {
      words.fill("", at + 1, end);
      return;
    }
    const before = at - 1 - (at > 1 && [":", "in", "is", "of"].includes(tokens[at - 1]) ? 1 : 0);
    if (before < 0 || (before > 0 && colors.has(tokens[before - 1])) || !garments.has(`${color} ${tokens[before]}`)) return;
    if (phrases.has(`${color} ${tokens[at + 1]}`)) return;
    const noun = words[before];
    words.fill("", before, at + 1);
    [words[before], words[before + 1]] = [color, noun];
  });
  return words.filter(Boolean);
}

// {kept: the words without the phrases that they deny, denied: those phrases}: "no beard", "neither hat nor cape".
function affirmed(tokens, known, denying, between) {
  const length = (at) => {
    for (let n = Math.min(10, tokens.length - at); n > 0; n--) if (known(tokens.slice(at, at + n).join(" "))) return n;
    return 0;
  };
  const [kept, denied] = [[], []];
  const drop = (from) => {
    denied.push(tokens.slice(from, from + length(from)));
    return from + length(from);
  };
  for (let at = 0; at < tokens.length; ) {
    const stem = tokens[at].slice(0, -4);
    if (tokens[at].endsWith("less") && known(stem) && !known(tokens[at])) {
      denied.push([stem]);
      at++;
      continue;
    }
    let after = at + 1;
    while (between.includes(tokens[after])) after++;
    if (!denying.includes(tokens[at]) || length(at) > 1 || !length(after)) {
      kept.push(tokens[at++]);
      continue;
    }
    at = drop(after);
    while (["or", "nor"].includes(tokens[at]) && length(at + 1)) at = drop(at + 1);
  }
  return { kept, denied };
}

function sexed(noun) {
  if (noun.endsWith("woman")) return [["sex", "female"]];
  return noun.endsWith("man") && noun !== "human" && noun !== "shaman" ? [["sex", "male"]] : [];
}

// The share of letters that two words share where one letter was changed, left out or added, or two exchanged; else 0.
function likeness(one, other) {
  let start = 0;
  while (start < one.length && one[start] === other[start]) start++;
  const [a, b] = [one.slice(start), other.slice(start)];
  const added = a === b.slice(1) || a.slice(1) === b;
  const exchanged = a.length > 1 && a[0] === b[1] && a[1] === b[0] && a.slice(2) === b.slice(2);
  if (!added && !exchanged && a.slice(1) !== b.slice(1)) return 0;
  return (2 * (added ? Math.min(one.length, other.length) : one.length - 1)) / (one.length + other.length);
}

function longest(runs, attribute, kind) {
  let [best, found] = [0, ""];
  for (const [name, value] of Object.entries(attribute.values))
    for (const phrase of value[kind] ?? []) {
      const words = plainWords(phrase);
      if (words.length > best && runs.has(words.join(" "))) [best, found] = [words.length, name];
    }
  return found;
}

// One of [name, {weight}] by its weight; the likeliest where that is asked for.
function weighted(values, draw, likeliest) {
  if (likeliest) return values.reduce((one, other) => (other[1].weight > one[1].weight ? other : one))[0];
  let at = draw() * values.reduce((sum, [, value]) => sum + value.weight, 0);
  return (values.find(([, value]) => (at -= value.weight) < 0) ?? values.at(-1))[0];
}
