package contact

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"contactsd/internal/codec"
)

// A Statement is all that one device says about its relation to another. Only
// its author writes it, each one replaces the one before, and seq only rises.
//
//	key  field        type
//	 1   author       bytes[32]
//	 2   subject      bytes[32]
//	 3   seq          uint       max(last + 1, Unix milliseconds)
//	 4   at           uint       Unix milliseconds of the author's clock, for display only
//	 5   listed       bool       the subject is in the author's contact list
//	 6   grants       [text]     what the author lets the subject do, sorted
//	 7   pair         bytes[16]  optional: the pairing behind this relation
//	 8   ask          map        optional: {1: id, 2: permissions, 3: wording, 4: proof}
//	 9   card_ask     map        optional: {1: id, 3: wording}
//	10   answer       map        optional: {1: digest of the ask, 2: verdict}
//	11   card_answer  map        optional: {1: digest of the card ask, 2: verdict}
//	12   card         map        optional: {1: rev, 2: lease in seconds}
//	13   card_state   map        optional: {1: rev, 2: held or deleted}
//	14   part         uint       optional: the subject's seq as last seen; please drop the relation too
//	15   (reserved for the person whose device this is)
//
// It travels as Signed: these bytes and an Ed25519 signature over
// "contacts/statement/1", a zero byte, and these bytes.
type Statement struct {
	Author     ODID        `cbor:"1,keyasint"`
	Subject    ODID        `cbor:"2,keyasint"`
	Seq        uint64      `cbor:"3,keyasint"`
	At         uint64      `cbor:"4,keyasint"`
	Listed     bool        `cbor:"5,keyasint"`
	Grants     Permissions `cbor:"6,keyasint"`
	Pair       *PairID     `cbor:"7,keyasint,omitempty"`
	Ask        *Ask        `cbor:"8,keyasint,omitempty"`
	CardAsk    *CardAsk    `cbor:"9,keyasint,omitempty"`
	Answer     *Answer     `cbor:"10,keyasint,omitempty"`
	CardAnswer *Answer     `cbor:"11,keyasint,omitempty"`
	Card       *CardGrant  `cbor:"12,keyasint,omitempty"`
	CardState  *CardState  `cbor:"13,keyasint,omitempty"`
	Part       uint64      `cbor:"14,keyasint,omitempty"`
}

// PairID names one pairing; both devices derive it from the same handshake.
type PairID [16]byte

// Short is the start of the id, by which the logs of both devices name a pairing.
func (id PairID) Short() string { return hex.EncodeToString(id[:4]) }

// Ask is what the author asks the subject for. Proof is its signature on the rest of
// the ask alone (AskSigningBytes).
type Ask struct {
	ID          AskID       `cbor:"1,keyasint"`
	Permissions Permissions `cbor:"2,keyasint"`
	Wording     string      `cbor:"3,keyasint"`
	Proof       []byte      `cbor:"4,keyasint,omitempty"`
}

// CardAsk is a request for the subject's contact card.
type CardAsk struct {
	ID      AskID  `cbor:"1,keyasint"`
	Wording string `cbor:"3,keyasint"`
}

// Answer is the author's word on one exact ask of the subject, named by Digest.
type Answer struct {
	Digest  Digest  `cbor:"1,keyasint"`
	Verdict Verdict `cbor:"2,keyasint"`
}

// Verdict is how an ask was answered.
type Verdict uint8

const (
	Accepted Verdict = 1 + iota
	Rejected
	Reported
	Crossed // accepted, since the author had asked for the same meanwhile
)

// CardGrant says that the author shares revision Rev of its card, to be
// forgotten Lease seconds (by the holder's clock) after the last contact.
type CardGrant struct {
	Rev   uint64 `cbor:"1,keyasint"`
	Lease uint64 `cbor:"2,keyasint"`
}

// CardState says what the author did with revision Rev of the subject's card.
type CardState struct {
	Rev  uint64 `cbor:"1,keyasint"`
	Held bool   `cbor:"2,keyasint"`
}

// Limits of a statement.
const (
	MaxStatementSize = 2048 // bytes of one encoded statement
	MaxWordingRunes  = 100
	MaxWordingSize   = 256 // bytes
)

const statementDomain = "contacts/statement/1\x00"

// Errors of statements. ErrStatement is wrapped by every error about one that
// is malformed, ErrSignature by one whose signature does not fit.
var (
	ErrStatement = errors.New("malformed statement")
	ErrSignature = errors.New("statement not signed by its author")
)

// Signed is a statement as it is stored and forwarded: the author's own bytes,
// never re-encoded, so what a newer version wrote into them stays.
type Signed struct {
	Bytes []byte `cbor:"1,keyasint"`
	Sig   []byte `cbor:"2,keyasint"`
}

// Encode returns the bytes that are signed and sent, or an error naming the
// limit that the statement exceeds.
func (s Statement) Encode() ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	b, err := codec.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrStatement, err)
	}
	return b, nil
}

// SigningBytes returns what the author of an encoded statement signs.
func SigningBytes(encoded []byte) []byte {
	return append([]byte(statementDomain), encoded...)
}

// Decode reads a statement that this device verified before it stored it, or
// that it signed itself. Anything else goes through Open.
func (s Signed) Decode() (Statement, error) {
	var st Statement
	if err := codec.Unmarshal(s.Bytes, &st); err != nil {
		return Statement{}, fmt.Errorf("%w: %w", ErrStatement, err)
	}
	return st, nil
}

// Open decodes and verifies a signed statement. Nothing of it is to be believed
// before Open returned without error.
func (s Signed) Open() (Statement, error) {
	st, err := s.examine()
	if err != nil {
		return Statement{}, err
	}
	if len(s.Sig) != ed25519.SignatureSize || !ed25519.Verify(st.Author.Key(), SigningBytes(s.Bytes), s.Sig) {
		return Statement{}, ErrSignature
	}
	if err := st.checkProof(); err != nil {
		return Statement{}, fmt.Errorf("proof of the ask: %w", err)
	}
	return st, nil
}

func (s Signed) examine() (Statement, error) {
	if len(s.Bytes) > MaxStatementSize {
		return Statement{}, fmt.Errorf("%w: %d bytes, at most %d", ErrStatement, len(s.Bytes), MaxStatementSize)
	}
	var st Statement
	if err := codec.UnmarshalCanonical(s.Bytes, &st); err != nil {
		return Statement{}, fmt.Errorf("%w: %w", ErrStatement, err)
	}
	if err := st.check(); err != nil {
		return Statement{}, err
	}
	return st, nil
}

func (s Statement) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrStatement, fmt.Sprintf(format, args...))
	}
	if s.Author.IsZero() || s.Subject.IsZero() {
		return bad("without author or subject")
	}
	if s.Author == s.Subject {
		return bad("about its own author")
	}
	if s.Seq == 0 {
		return bad("without seq")
	}
	if !s.Listed && (s.Grants != 0 || s.Pair != nil || s.Card != nil) {
		return bad("grants to a subject that is not listed")
	}
	if s.Ask != nil {
		if err := CheckWording(s.Ask.Wording); err != nil {
			return bad("ask: %v", err)
		}
		if n := len(s.Ask.Proof); n != 0 && n != ed25519.SignatureSize {
			return bad("ask: a proof of %d bytes", n)
		}
	}
	if s.CardAsk != nil {
		if err := CheckWording(s.CardAsk.Wording); err != nil {
			return bad("card ask: %v", err)
		}
	}
	for _, a := range []*Answer{s.Answer, s.CardAnswer} {
		if a != nil && (a.Verdict < Accepted || a.Verdict > Crossed) {
			return bad("verdict %d", a.Verdict)
		}
	}
	return nil
}

// CheckWording returns a *LimitError or an *InvalidError unless the wording of a
// request has 1 to 100 characters in at most 256 bytes of valid UTF-8, none of them
// a control character.
func CheckWording(w string) error {
	const field = "wording"
	if w == "" {
		return &InvalidError{field, "required"}
	}
	if n := utf8.RuneCountInString(w); n > MaxWordingRunes && utf8.ValidString(w) {
		return &LimitError{Field: field, Got: n, Limit: MaxWordingRunes, Unit: "characters"}
	}
	return CheckText(field, w, MaxWordingSize)
}

// Digest names this exact ask in an answer. It does not cover the proof, which signs
// the digest.
func (a Ask) Digest() (Digest, error) {
	a.Proof = nil
	return digest(a)
}

// Digest names this exact card ask in an answer.
func (a CardAsk) Digest() (Digest, error) { return digest(a) }

func digest(v any) (Digest, error) {
	b, err := codec.Marshal(v)
	if err != nil {
		return Digest{}, err
	}
	return sha256.Sum256(b), nil
}

// maxClock is the last millisecond of the year 9999, in Unix milliseconds: a clock
// that shows more counts as that. It is far below MaxSeqLeap, so
// that there is room for the statements that follow.
const maxClock = 253_402_300_799_999

// NextSeq returns the seq after last: never lower, and never below the clock,
// so that a device that lost its records does not start at the beginning.
func NextSeq(last uint64, now time.Time) uint64 {
	return max(last+1, uint64(min(max(now.UnixMilli(), 0), maxClock)))
}
