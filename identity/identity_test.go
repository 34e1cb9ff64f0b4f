package identity

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"contactsd/contact"
)

// goldenFile is the key file of the seed 1, 2, 3, 0, …
const goldenFile = "# The private key of this contactsd device. Whoever has it is this device.\n" +
	"ODIDSECRET1QYPQXQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ5SP2S6\n"

func generate(t *testing.T) *Identity {
	t.Helper()
	id, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func keyPath(t *testing.T) string { return filepath.Join(t.TempDir(), "key") }

func save(t *testing.T, id *Identity) string {
	t.Helper()
	path := keyPath(t)
	if err := id.Save(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSavedKeyIsTheSameDevice(t *testing.T) {
	id := generate(t)
	path := save(t, id)
	back, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if back.Self() != id.Self() || !back.TransportKey().Equal(id.TransportKey()) {
		t.Error("another key came back")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("%v beside the key, %v", left, err)
	}
}

func TestKeyFileIsFixed(t *testing.T) {
	id, err := FromSeed([32]byte{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(save(t, id))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != goldenFile {
		t.Errorf("the key file is\n%q\nwant\n%q", got, goldenFile)
	}
	path := keyPath(t)
	if err := os.WriteFile(path, []byte(goldenFile), 0o600); err != nil {
		t.Fatal(err)
	}
	if back, err := Load(path); err != nil || back.Self() != id.Self() {
		t.Errorf("a file of an earlier version: %v", err)
	}
}

func TestSaveRefusesToOverwrite(t *testing.T) {
	first := generate(t)
	path := save(t, first)
	if err := generate(t).Save(path); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("overwriting: %v", err)
	}
	if back, err := Load(path); err != nil || back.Self() != first.Self() {
		t.Errorf("the first key was touched: %v", err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("%v left behind", left)
	}
	if err := first.Save(filepath.Join(path, "below", "a file")); err == nil {
		t.Error("saved where there is no folder")
	}
}

func TestKeyReadableByOthersIsRefused(t *testing.T) {
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o644, 0o660, 0o601, 0o610, 0o666} {
		path := save(t, generate(t))
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path)
		if !errors.Is(err, ErrKeyMode) || !strings.Contains(err.Error(), "chmod 600 "+path) || !strings.Contains(err.Error(), fmt.Sprintf("%04o", mode)) {
			t.Errorf("mode %04o: %v", mode, err)
		}
		if _, _, err := LoadOrGenerate(path); !errors.Is(err, ErrKeyMode) {
			t.Errorf("mode %04o, load or generate: %v", mode, err)
		}
	}
	for _, mode := range []fs.FileMode{0o600, 0o400} {
		path := save(t, generate(t))
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); err != nil {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
}

func TestUnusableKeyFilesAreNamedAndNeverReplaced(t *testing.T) {
	whole, err := os.ReadFile(save(t, generate(t)))
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.TrimSpace(strings.TrimPrefix(string(whole), keyHeader))
	misspelt := secret[:30] + map[bool]string{true: "P", false: "Q"}[secret[30] == 'Q'] + secret[31:]
	for name, text := range map[string]string{
		"empty":              "",
		"header only":        keyHeader,
		"truncated":          string(whole[:len(whole)-20]),
		"cut in the prefix":  string(whole[:len(keyHeader)+5]),
		"one letter wrong":   strings.Replace(string(whole), secret, misspelt, 1),
		"an ODID":            generate(t).Self().String() + "\n",
		"a private key PEM":  "-----BEGIN PRIVATE KEY-----\n" + secret + "\n-----END PRIVATE KEY-----\n",
		"binary":             string([]byte{0, 1, 2, 0xff}),
		"far too long":       "# " + strings.Repeat("x", maxKeyFile) + "\n" + secret + "\n",
		"a database instead": strings.Repeat("\x00", 10_000),
	} {
		if text == string(whole) {
			t.Fatalf("%s: nothing changed", name)
		}
		path := keyPath(t)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		orGenerate := func(path string) (*Identity, error) {
			id, _, err := LoadOrGenerate(path)
			return id, err
		}
		for _, load := range []func(string) (*Identity, error){Load, orGenerate} {
			id, err := load(path)
			if !errors.Is(err, ErrKeyFile) || id != nil {
				t.Errorf("%s: %v, %v", name, id, err)
				continue
			}
			if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "backup") {
				t.Errorf("%s: the error does not help: %v", name, err)
			}
			if strings.Contains(strings.ToUpper(err.Error()), secret[12:24]) {
				t.Errorf("%s: the error tells the key: %v", name, err)
			}
		}
		if now, _ := os.ReadFile(path); string(now) != text {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

func TestEditedKeyFileLoads(t *testing.T) {
	id := generate(t)
	whole, _ := os.ReadFile(save(t, id))
	path := keyPath(t)
	text := "\n# moved from the old laptop\n\n" + strings.ReplaceAll(string(whole), "\n", "\r\n")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if back, err := Load(path); err != nil || back.Self() != id.Self() {
		t.Errorf("with comments and other line ends: %v", err)
	}
}

func TestLoadOrGenerateMakesOneKey(t *testing.T) {
	path := keyPath(t)
	if _, err := Load(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	first, isNew, err := LoadOrGenerate(path)
	if err != nil || !isNew {
		t.Fatalf("no file: new %t, %v", isNew, err)
	}
	if err := first.Save(path); err != nil {
		t.Fatal(err)
	}
	second, isNew, err := LoadOrGenerate(path)
	if err != nil || isNew || second.Self() != first.Self() {
		t.Errorf("the second start is another device: new %t, %v", isNew, err)
	}
	if id, isNew, err := LoadOrGenerate(filepath.Join(path, "x")); err == nil || isNew || id != nil {
		t.Errorf("below a file: %v, new %t, %v", id, isNew, err)
	}
}

func TestAFolderIsNoKey(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if id, err := Load(dir); err == nil || id != nil {
		t.Errorf("%v, %v", id, err)
	}
}

func TestIdentityNeverPrintsItsKey(t *testing.T) {
	id, err := FromSeed([32]byte(bytes.Repeat([]byte{0xc3}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%t", "%p", "%T"} {
		fmt.Fprintf(&out, verb+"\n", id)
		fmt.Fprintf(&out, verb+"\n", struct {
			ID *Identity
			id *Identity
		}{id, id})
		fmt.Fprintf(&out, verb+"\n", struct{ id Identity }{*id})
		fmt.Fprintf(&out, verb+"\n", []any{id})
		fmt.Fprintf(&out, verb+"\n", *id)
	}
	fmt.Fprintln(&out, id, *id)
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("started", "identity", id, "group", slog.GroupValue(slog.Any("id", id)), "deref", *id)
	}
	if b, err := json.Marshal(map[string]any{"id": id}); err == nil {
		out.Write(b)
	}
	if _, err := fmt.Fprint(&out, errors.Join(fmt.Errorf("with %v", id))); err != nil {
		t.Fatal(err)
	}
	key := id.TransportKey()
	text := out.String()
	for name, leak := range map[string]string{
		"hex":       "c3c3c3",
		"HEX":       "C3C3C3",
		"bytes":     "195 195 195",
		"go":        "0xc3, 0xc3",
		"text":      contact.EncodeSecret([32]byte(key.Seed()))[12:24],
		"base64":    base64.StdEncoding.EncodeToString(key.Seed())[:12],
		"octal":     "303 303 303",
		"binary":    "11000011 11000011",
		"full hex":  hex.EncodeToString(key)[:16],
		"raw bytes": "\xc3\xc3\xc3",
	} {
		if strings.Contains(text, leak) {
			i := strings.Index(text, leak)
			t.Errorf("%s: the key shows in %q", name, text[max(0, i-80):i+20])
		}
	}
	if !strings.Contains(text, id.Self().String()) {
		t.Error("an identity does not print as its ODID")
	}
}

func TestStatementsOfAnotherAuthorAreNotSigned(t *testing.T) {
	me, other := generate(t), generate(t)
	st := contact.Statement{Author: other.Self(), Subject: me.Self(), Seq: 1}
	if s, err := me.SignStatement(st); err == nil || s.Sig != nil || s.Bytes != nil {
		t.Errorf("signed in another's name: %v", err)
	}
	st.Author, st.Subject = me.Self(), other.Self()
	s, err := me.SignStatement(st)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Open(); err != nil || got.Author != me.Self() {
		t.Errorf("the own statement does not open: %v", err)
	}
	st.Seq = 0
	if s, err := me.SignStatement(st); !errors.Is(err, contact.ErrStatement) || s.Sig != nil {
		t.Errorf("a malformed statement: %v", err)
	}
}

// TestReceiptsAreOfOneAskOfOneDeviceOnADay, and of one identity.
func TestReceiptsAreOfOneAskOfOneDeviceOnADay(t *testing.T) {
	id := generate(t)
	was := id.Receipt(contact.ODID{1}, contact.Digest{2}, 3)
	if was != id.Receipt(contact.ODID{1}, contact.Digest{2}, 3) {
		t.Error("another one for the same")
	}
	for name, other := range map[string]contact.Receipt{
		"device":   id.Receipt(contact.ODID{9}, contact.Digest{2}, 3),
		"ask":      id.Receipt(contact.ODID{1}, contact.Digest{9}, 3),
		"day":      id.Receipt(contact.ODID{1}, contact.Digest{2}, 9),
		"identity": generate(t).Receipt(contact.ODID{1}, contact.Digest{2}, 3),
	} {
		if was == other {
			t.Errorf("the same of another %s", name)
		}
	}
}

func TestSignaturesOfOneKindAreNoneOfAnother(t *testing.T) {
	id, body := generate(t), []byte("body")
	statement := Domain("contacts/statement/1\x00")
	for _, d := range []Domain{PairingDomain, BeaconDomain} {
		sig, err := id.Sign(d, body)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range []Domain{PairingDomain, BeaconDomain, statement, ""} {
			if got := Verify(id.Self(), other, body, sig); got != (other == d) {
				t.Errorf("signed as %q, verified as %q: %v", d, other, got)
			}
		}
		if !ed25519.Verify(id.Self().Key(), append([]byte(d), body...), sig) {
			t.Errorf("%q: not Ed25519 over domain and body", d)
		}
		if Verify(generate(t).Self(), d, body, sig) || Verify(id.Self(), d, []byte("bodY"), sig) ||
			Verify(id.Self(), d, body, sig[:63]) || Verify(id.Self(), d, body, nil) || Verify(id.Self(), d, body, append(sig, 0)) {
			t.Errorf("%q: a wrong signature counts", d)
		}
	}
}

func TestUnknownDomainsAreNotSigned(t *testing.T) {
	id := generate(t)
	for _, d := range []Domain{"", "contacts/statement/1\x00", "contacts/beacon/1", "contacts/beacon/1\x00x", "libp2p-tls-handshake:"} {
		if sig, err := id.Sign(d, []byte("body")); err == nil || sig != nil {
			t.Errorf("signed as %q", d)
		}
	}
}

func TestNoDomainIsAPrefixOfAnother(t *testing.T) {
	all := []string{string(PairingDomain), string(BeaconDomain), "contacts/statement/1\x00"}
	for i, a := range all {
		if !strings.HasSuffix(a, "\x00") {
			t.Errorf("%q does not end in zero", a)
		}
		for j, b := range all {
			if i != j && strings.HasPrefix(b, a) {
				t.Errorf("%q begins with %q", b, a)
			}
		}
	}
}

func TestOneSeedIsOneDevice(t *testing.T) {
	a, err := FromSeed([32]byte{5})
	if err != nil {
		t.Fatal(err)
	}
	b, err := FromSeed([32]byte{5})
	if err != nil || a.Self() != b.Self() {
		t.Errorf("%v and %v, %v", a, b, err)
	}
	if c := generate(t); c.Self() == generate(t).Self() {
		t.Error("two generated identities are the same")
	}
}
