// Package identity holds the device's long-term key. It is the only place that
// signs with it: callers hand over typed values, never bytes of their choosing,
// so no part of the program can be used to sign something else (each kind of
// signature has a domain of its own).
package identity

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"contactsd/contact"
)

// Identity is a device's Ed25519 key pair (RFC 8032). It prints as its ODID and
// never as its key, and can't be compared.
type Identity struct {
	key  func() ed25519.PrivateKey // a function, since nothing that prints can look into one; and it makes Identity incomparable
	odid contact.ODID
}

// Errors of Load.
var (
	ErrKeyFile = errors.New("unusable key file")
	ErrKeyMode = errors.New("key file readable by others")
)

// Generate makes a new identity.
func Generate() (*Identity, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return fromKey(key)
}

// FromSeed makes the identity of a 32-byte seed, for tests that need the same
// identity again.
func FromSeed(seed [32]byte) (*Identity, error) {
	return fromKey(ed25519.NewKeyFromSeed(seed[:]))
}

func fromKey(key ed25519.PrivateKey) (*Identity, error) {
	odid, err := contact.ODIDFromKey(key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	return &Identity{key: func() ed25519.PrivateKey { return key }, odid: odid}, nil
}

// Self returns the device's ODID.
func (id *Identity) Self() contact.ODID { return id.odid }

// String returns the ODID, so that a logged identity tells no secret.
func (id Identity) String() string { return id.odid.String() }

// Format writes the ODID, whatever the verb.
func (id Identity) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, id.odid.String()) }

// LogValue is the ODID.
func (id Identity) LogValue() slog.Value { return slog.StringValue(id.odid.String()) }

const receiptDomain = "contacts/receipt/1\x00"

// Receipt returns what asker is given of an ask whose stamps were taken on a day, in days
// since 1970. Nobody else can make it.
func (id *Identity) Receipt(asker contact.ODID, ask contact.Digest, day uint64) (r contact.Receipt) {
	h := hmac.New(sha256.New, id.key().Seed())
	h.Write([]byte(receiptDomain))
	h.Write(asker[:])
	h.Write(ask[:])
	h.Write(binary.BigEndian.AppendUint64(nil, day))
	copy(r[:], h.Sum(nil))
	return r
}

// SignStatement encodes and signs a statement of this device, and the ask in it, if
// there is one. It returns an error for one of another author.
func (id *Identity) SignStatement(s contact.Statement) (contact.Signed, error) {
	if s.Author != id.odid {
		return contact.Signed{}, fmt.Errorf("sign statement: author is %s, not this device", s.Author.Short())
	}
	if s.Ask != nil {
		ask := *s.Ask
		d, err := ask.Digest()
		if err != nil {
			return contact.Signed{}, fmt.Errorf("sign statement: %w", err)
		}
		ask.Proof = ed25519.Sign(id.key(), contact.AskSigningBytes(s.Author, s.Subject, d))
		s.Ask = &ask
	}
	b, err := s.Encode()
	if err != nil {
		return contact.Signed{}, err
	}
	return contact.Signed{Bytes: b, Sig: ed25519.Sign(id.key(), contact.SigningBytes(b))}, nil
}

// SignReport encodes and signs a report of this device. It returns an error for one
// of another author.
func (id *Identity) SignReport(r contact.Report) (contact.Signed, error) {
	if r.Reporter != id.odid {
		return contact.Signed{}, fmt.Errorf("sign report: reporter is %s, not this device", r.Reporter.Short())
	}
	b, err := r.Encode()
	if err != nil {
		return contact.Signed{}, err
	}
	return contact.Signed{Bytes: b, Sig: ed25519.Sign(id.key(), contact.ReportSigningBytes(b))}, nil
}

// Domain separates kinds of signatures.
type Domain string

// The kinds of signatures beside statements, asks and reports. Each is a fixed text that ends in
// a zero byte and is no prefix of another.
const (
	PairingDomain Domain = "contacts/pair/1 payload\x00"
	BeaconDomain  Domain = "contacts/beacon/1\x00"
)

// Sign signs body in a domain. It returns an error for a domain not listed here.
func (id *Identity) Sign(d Domain, body []byte) ([]byte, error) {
	if d != PairingDomain && d != BeaconDomain {
		return nil, fmt.Errorf("sign: unknown domain %q", string(d))
	}
	return ed25519.Sign(id.key(), append([]byte(d), body...)), nil
}

// Verify reports whether sig is the author's signature of body in the domain.
func Verify(author contact.ODID, d Domain, body, sig []byte) bool {
	return len(sig) == ed25519.SignatureSize && ed25519.Verify(author.Key(), append([]byte(d), body...), sig)
}

// TransportKey hands out the raw private key. It exists for transport/p2p alone,
// whose handshakes sign with it; a test of the imports keeps others away.
func (id *Identity) TransportKey() ed25519.PrivateKey { return id.key() }

const keyHeader = "# The private key of this contactsd device. Whoever has it is this device.\n"

// Save writes the key to a new file of mode 0600, whole or not at all, synced.
// It refuses to overwrite.
func (id *Identity) Save(path string) error {
	text := keyHeader + contact.EncodeSecret([32]byte(id.key().Seed())) + "\n"
	tmp, err := os.CreateTemp(filepath.Dir(path), ".key-*")
	if err != nil {
		return fmt.Errorf("save key: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(text)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Link(tmp.Name(), path) // unlike Rename it fails if path exists
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("save key: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

const maxKeyFile = 4096

// Load reads a key file. The error wraps fs.ErrNotExist if there is none,
// ErrKeyMode if others may read it, ErrKeyFile if it holds no key; it never
// repeats what the file holds.
func Load(path string) (*Identity, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("load key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s has mode %04o; run: chmod 600 %s", ErrKeyMode, path, info.Mode().Perm(), path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("load key: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		seed, err := contact.DecodeSecret(line)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %v; restore it from a backup", ErrKeyFile, path, err)
		}
		return FromSeed(seed)
	}
	return nil, fmt.Errorf("%w: %s is empty; restore it from a backup", ErrKeyFile, path)
}

// LoadOrGenerate loads the key at path or, if there is no file, makes one, which
// is to be saved before anything is done in its name.
func LoadOrGenerate(path string) (id *Identity, isNew bool, err error) {
	id, err = Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		id, err = Generate()
		return id, true, err
	}
	return id, false, err
}
