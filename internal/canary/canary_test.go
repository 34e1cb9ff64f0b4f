package canary

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
)

// A secret is found however it was printed, whole or cut after its beginning.
func TestSecretsAreFound(t *testing.T) {
	b := []byte("\x00\x01secret, with ~ and \xff bytes")
	s := Bytes("key", b)
	inJSON, _ := json.Marshal(map[string]any{"numbers": []int{0, 1, 115, 101, 99, 114, 101, 116, 44, 32}})
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", b)
	for name, text := range map[string]string{
		"as it is": string(b), "%q": fmt.Sprintf("%q", b), "%v": fmt.Sprint(b), "%x": fmt.Sprintf("%x", b),
		"%X": fmt.Sprintf("%X", b), "%#v": fmt.Sprintf("%#v", b), "slog": log.String(), "JSON of numbers": string(inJSON),
		"base64": base64.StdEncoding.EncodeToString(b), "base64url": base64.RawURLEncoding.EncodeToString(b),
		"base32": base32.StdEncoding.EncodeToString(b), "cut": "key=" + hex.EncodeToString(b[:12]) + "…",
	} {
		if got := s.In("before\n" + text + "\nafter"); got == "" {
			t.Errorf("%s: not found in %s", name, text)
		}
	}
	if got := s.In(hex.EncodeToString(b[:6])); got != "" {
		t.Errorf("found in %s", got)
	}
	if got := Text("word", "Swordfish").In("one\nthe SWORDFISH is\n"); got != "the SWORDFISH is" {
		t.Errorf("found in %q", got)
	}
}
