// BERT's word pieces, uncased: a sentence to the numbers that the text encoder reads.

const SPECIAL = /(\[PAD\]|\[UNK\]|\[CLS\]|\[SEP\]|\[MASK\])/;
const OTHER = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\uFFFD]/u; // taken out, but for tabs and line ends
const MARK = /[!-\/:-@\[-`{-~]|\p{P}/u;
const LONGEST = 100; // characters of a word

function isChinese(code) {
  return (
    (code >= 0x4e00 && code <= 0x9fff) || (code >= 0x3400 && code <= 0x4dbf) || (code >= 0x20000 && code <= 0x2a6df) ||
    (code >= 0x2a700 && code <= 0x2b73f) || (code >= 0x2b740 && code <= 0x2b81f) || (code >= 0x2b920 && code <= 0x2ceaf) ||
    (code >= 0xf900 && code <= 0xfaff) || (code >= 0x2f800 && code <= 0x2fa1f)
  );
}

function normalized(text) {
  let found = "";
  for (const char of text) {
    if (char === "\t" || char === "\n" || char === "\r" || /\s/u.test(char) && !OTHER.test(char)) found += " ";
    else if (OTHER.test(char)) continue;
    else found += isChinese(char.codePointAt(0)) ? ` ${char} ` : char;
  }
  // Each character in lower case by itself: the last letter of a Greek word is no other then.
  return Array.from(found.normalize("NFD").replace(/\p{Mn}/gu, ""), (char) => char.toLowerCase()).join("");
}

function words(text) {
  const found = [];
  for (const part of normalized(text).split(/\s+/u)) {
    let word = "";
    for (const char of part) {
      if (MARK.test(char)) {
        if (word) found.push(word);
        found.push(char);
        word = "";
      } else word += char;
    }
    if (word) found.push(word);
  }
  return found;
}

export class WordPiece {
  // pieces: all word pieces, in the order of their numbers
  constructor(pieces) {
    this.number = new Map(pieces.map((piece, number) => [piece, number]));
  }

  // The numbers of a sentence, with those of its beginning and its end.
  encode(text) {
    const ids = [this.number.get("[CLS]")];
    for (const part of text.toWellFormed ? text.toWellFormed().split(SPECIAL) : text.split(SPECIAL)) {
      if (SPECIAL.test(part)) ids.push(this.number.get(part));
      else for (const word of words(part)) ids.push(...this.#pieces(word));
    }
    ids.push(this.number.get("[SEP]"));
    return ids;
  }

  #pieces(word) {
    const chars = Array.from(word);
    const found = [];
    if (chars.length > LONGEST) return [this.number.get("[UNK]")];
    for (let start = 0; start < chars.length; ) {
      let end = chars.length;
      let number;
      for (; end > start; end--) {
        number = this.number.get((start ? "##" : "") + chars.slice(start, end).join(""));
        if (number !== undefined) break;
      }
      if (number === undefined) return [this.number.get("[UNK]")];
      found.push(number);
      start = end;
    }
    return found;
  }
}
