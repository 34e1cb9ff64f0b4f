package server

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"contactsd/api"
	contactsv1 "contactsd/api/contacts/v1"
)

// methods returns every call of the schema, so that a new one is tried as well.
func methods(t testing.TB) (list []protoreflect.MethodDescriptor) {
	t.Helper()
	protoregistry.GlobalFiles.RangeFilesByPackage("contacts.v1", func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			for j := range s.Methods().Len() {
				list = append(list, s.Methods().Get(j))
			}
		}
		return true
	})
	if len(list) < 24 {
		t.Fatalf("%d calls", len(list))
	}
	return list
}

func request(t testing.TB, m protoreflect.MethodDescriptor) protoreflect.Message {
	t.Helper()
	typ, err := protoregistry.GlobalTypes.FindMessageByName(m.Input().FullName())
	if err != nil {
		t.Fatal(err)
	}
	return typ.New()
}

// fill gives fields what they usually hold, so that a call gets as far as it can
// with one field that is hostile.
func fill(m protoreflect.Message, usual map[string]string) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		value := usual[string(f.Name())]
		switch {
		case f.Kind() == protoreflect.MessageKind && f.IsList():
			fill(m.Mutable(f).List().AppendMutable().Message(), usual)
		case f.Kind() == protoreflect.MessageKind && !f.IsMap():
			fill(m.Mutable(f).Message(), usual)
		case f.Kind() != protoreflect.StringKind || value == "":
		case f.IsList():
			m.Mutable(f).List().Append(protoreflect.ValueOfString(value))
		default:
			m.Set(f, protoreflect.ValueOfString(value))
		}
	}
}

// hostileTexts are valid UTF-8 that somebody means ill with.
func hostileTexts() map[string]string {
	return map[string]string{
		"nothing":           "",
		"a space":           " ",
		"NUL":               "a\x00b",
		"escape sequence":   "\x1b[2J\x1b]0;owned\x07",
		"newlines":          "a\r\nb\n\nevent: error\ndata: x\n",
		"C1 control":        "a\u009b31mb",
		"right to left":     "a\u202eb\u2066c",
		"line separator":    "a\u2028b\u2029c",
		"zero width":        "\u200b\u200d\ufeff",
		"tags":              "\U000e0041\U000e007f",
		"many combining":    "a" + strings.Repeat("\u0301", 5000),
		"long":              strings.Repeat("x", 100<<10),
		"long and wide":     strings.Repeat("\U0001f600", 20<<10),
		"format verbs":      "%s%n%!d(string=x)",
		"a path":            "../../../../etc/passwd",
		"markup":            `<script>alert(1)</script>`,
		"quotes":            `"'` + "`" + `\"}]}`,
		"ODID, broken":      "odid1" + strings.Repeat("q", 54),
		"key":               "contacts-secret-key-1" + strings.Repeat("q", 58),
		"number":            "99999999999999999999",
		"negative":          "-1",
		"UUID of version 4": "3e4666bf-d5e5-4aa7-b8ce-cefe41c7568a",
		"filter":            "trust:paired:relation",
	}
}

// hostileBytes are no picture, too much of one, and one that promises more than
// there is.
func hostileBytes() map[string][]byte {
	return map[string][]byte{
		"no bytes":   {},
		"garbage":    bytes.Repeat([]byte{0xff}, 1000),
		"many bytes": make([]byte, 200<<10),
		"a huge PNG": []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\xff\xff\x00\x00\xff\xff\x08\x06\x00\x00\x00"),
	}
}

// hostile returns requests of a call, each with one field that is hostile.
func hostile(t testing.TB, m protoreflect.MethodDescriptor, usual map[string]string) map[string]protoreflect.Message {
	all := map[string]protoreflect.Message{"nothing": request(t, m)}
	add := func(name string, set func(protoreflect.Message)) {
		msg := request(t, m)
		fill(msg, usual)
		set(msg)
		all[name] = msg
	}
	add("usual", func(protoreflect.Message) {})
	var walk func(path string, d protoreflect.MessageDescriptor, at func(protoreflect.Message) protoreflect.Message)
	walk = func(path string, d protoreflect.MessageDescriptor, at func(protoreflect.Message) protoreflect.Message) {
		for i := range d.Fields().Len() {
			f := d.Fields().Get(i)
			name := path + string(f.Name())
			switch {
			case f.IsMap(): // of texts by texts
				put := func(msg protoreflect.Message, key, value string) {
					at(msg).Mutable(f).Map().Set(protoreflect.ValueOfString(key).MapKey(), protoreflect.ValueOfString(value))
				}
				for what, text := range hostileTexts() {
					add(name+": key, "+what, func(msg protoreflect.Message) { put(msg, text, "on") })
					add(name+": value, "+what, func(msg protoreflect.Message) { put(msg, "gossip", text) })
				}
				add(name+": many", func(msg protoreflect.Message) {
					for i := range 20_000 {
						put(msg, fmt.Sprint(i), "on")
					}
				})
			case f.Kind() == protoreflect.MessageKind && f.IsList():
				add(name+": many", func(msg protoreflect.Message) {
					l := at(msg).Mutable(f).List()
					for range 20_000 {
						l.AppendMutable()
					}
				})
				walk(name+".", f.Message(), func(msg protoreflect.Message) protoreflect.Message {
					return at(msg).Mutable(f).List().AppendMutable().Message()
				})
			case f.Kind() == protoreflect.MessageKind:
				walk(name+".", f.Message(), func(msg protoreflect.Message) protoreflect.Message { return at(msg).Mutable(f).Message() })
			case f.Kind() == protoreflect.StringKind && f.IsList():
				for what, text := range hostileTexts() {
					add(name+": "+what, func(msg protoreflect.Message) { at(msg).Mutable(f).List().Append(protoreflect.ValueOfString(text)) })
				}
				add(name+": many", func(msg protoreflect.Message) {
					l := at(msg).Mutable(f).List()
					for range 50_000 {
						l.Append(protoreflect.ValueOfString("x"))
					}
				})
			case f.Kind() == protoreflect.StringKind:
				for what, text := range hostileTexts() {
					add(name+": "+what, func(msg protoreflect.Message) { at(msg).Set(f, protoreflect.ValueOfString(text)) })
				}
			case f.Kind() == protoreflect.BytesKind && !f.IsList():
				for what, b := range hostileBytes() {
					add(name+": "+what, func(msg protoreflect.Message) { at(msg).Set(f, protoreflect.ValueOfBytes(b)) })
				}
			case f.Kind() == protoreflect.Uint32Kind && !f.IsList():
				for _, n := range []uint32{1, 1 << 31, math.MaxUint32} {
					add(fmt.Sprint(name, ": ", n), func(msg protoreflect.Message) { at(msg).Set(f, protoreflect.ValueOfUint32(n)) })
				}
			case f.Kind() == protoreflect.BoolKind && !f.IsList():
				add(name+": true", func(msg protoreflect.Message) { at(msg).Set(f, protoreflect.ValueOfBool(true)) })
			}
		}
	}
	walk("", m.Input(), func(msg protoreflect.Message) protoreflect.Message { return msg })
	return all
}

// briefly is how long a call of a test may take that would wait.
const briefly = 20 * time.Millisecond

// answerOf calls a method with a raw body, as the kernel would let its user.
// A stream gets the body as its one message. What waits is ended soon.
func (s *Server) answerOf(ctx context.Context, m protoreflect.MethodDescriptor, encoding string, body []byte) *httptest.ResponseRecorder {
	ctx, cancel := context.WithTimeout(ctx, briefly)
	defer cancel()
	return s.wholeAnswerOf(ctx, m, encoding, body)
}

func (s *Server) wholeAnswerOf(ctx context.Context, m protoreflect.MethodDescriptor, encoding string, body []byte) *httptest.ResponseRecorder {
	contentType := "application/" + encoding
	if m.IsStreamingServer() {
		contentType = "application/connect+" + encoding
		body = append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body))), body...)
	}
	ctx = context.WithValue(ctx, credentialsKey{}, verdict{})
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "http://localhost"+procedure(m), bytes.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	s.http.ServeHTTP(w, r)
	return w
}

func procedure(m protoreflect.MethodDescriptor) string {
	return fmt.Sprintf("/%s/%s", m.Parent().FullName(), m.Name())
}

// complaint is what is wrong with an answer, "" for a good one: a result, or an
// error with a reason that somebody foresaw.
func complaint(m protoreflect.MethodDescriptor, w *httptest.ResponseRecorder) string {
	body := w.Body.Bytes()
	if m.IsStreamingServer() {
		if w.Code != http.StatusOK {
			return fmt.Sprintf("status %d of a stream", w.Code)
		}
		var end struct{ Error json.RawMessage }
		for len(body) >= 5 {
			n := int(binary.BigEndian.Uint32(body[1:5]))
			if n > len(body)-5 {
				return "a stream that is cut off"
			}
			if body[0]&2 != 0 {
				if err := json.Unmarshal(body[5:5+n], &end); err != nil {
					return err.Error()
				}
			}
			body = body[5+n:]
		}
		if end.Error == nil {
			return ""
		}
		body = end.Error
	} else if w.Code == http.StatusOK {
		return ""
	}
	var e struct {
		Code, Message string
		Details       []struct{ Type, Value string }
	}
	if err := json.Unmarshal(body, &e); err != nil || !utf8.Valid(body) {
		return fmt.Sprintf("status %d, %q is no error: %v", w.Code, body, err)
	}
	if len(e.Details) != 1 {
		return fmt.Sprintf("an error without detail: %s", body)
	}
	value, err := base64.RawStdEncoding.DecodeString(e.Details[0].Value)
	var info contactsv1.ErrorInfo
	if err := cmp.Or(err, proto.Unmarshal(value, &info)); err != nil {
		return err.Error()
	}
	switch {
	case info.Reason == "" || info.Reason == "internal" || e.Code == "internal" || e.Code == "unknown":
		return fmt.Sprintf("nobody foresaw it: %s", body)
	case len(e.Message) > 2<<10:
		return fmt.Sprintf("an error of %d bytes", len(e.Message))
	}
	return ""
}

// TestEveryCallStandsHostileInput gives each field of each call what nobody
// should send, as JSON and as protobuf. Whatever comes, the answer is a result or
// an error that was foreseen, and the daemon lives.
func TestEveryCallStandsHostileInput(t *testing.T) {
	w := newWorld(t)
	u, bob := w.user("ada"), w.user("bob")
	u.pair(bob)
	var logged bytes.Buffer
	u.server.log = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelWarn}))
	usual := map[string]string{
		"odid": stranger(t), "contact": bob.odid, "contacts": stranger(t), "remark": "remark", "name": "ada", "text": "text",
		"id": newID(t), "code": "482-193", "state": "busy", "permissions": "audio", "after": "1",
		"group": "group", "names": "group", "key": "key", "app": "mail", "source": "import",
	}
	calls := 0
	for _, m := range methods(t) {
		t.Run(string(m.Name()), func(t *testing.T) {
			for name, msg := range hostile(t, m, usual) {
				inJSON, err := api.MarshalJSON(msg.Interface())
				if err != nil {
					t.Fatal(err)
				}
				inProto, err := proto.Marshal(msg.Interface())
				if err != nil {
					t.Fatal(err)
				}
				for encoding, body := range map[string][]byte{"json": inJSON, "proto": inProto} {
					calls++
					if wrong := complaint(m, u.server.answerOf(t.Context(), m, encoding, body)); wrong != "" {
						t.Errorf("%s, %s: %.300s", name, encoding, wrong)
					}
				}
			}
			for name, body := range malformed(m) {
				calls++
				encoding := "json"
				if strings.HasPrefix(name, "proto") {
					encoding = "proto"
				}
				got := u.server.answerOf(t.Context(), m, encoding, body)
				if wrong := complaint(m, got); wrong != "" {
					t.Errorf("%s: %.300s", name, wrong)
				}
				if !m.IsStreamingServer() && got.Code == http.StatusOK {
					t.Errorf("%s is taken: %.300s", name, got.Body)
				}
			}
		})
	}
	if calls < 1500 {
		t.Errorf("%d calls only", calls)
	}
	if logged.Len() > 0 {
		t.Errorf("logged:\n%.2000s", logged.String())
	}
	if _, err := u.Device().GetStatus(u.ctx(), &contactsv1.GetStatusRequest{}); err != nil {
		t.Errorf("the daemon does not answer any more: %v", err)
	}
}

// malformed returns bodies that are no request of the call at all.
func malformed(m protoreflect.MethodDescriptor) map[string][]byte {
	all := map[string][]byte{
		"not JSON":           []byte("hello"),
		"half of it":         []byte(`{"contact":"a`),
		"an array":           []byte(`[]`),
		"unknown field":      []byte(`{"nonsense":1}`),
		"deep":               []byte(strings.Repeat(`{"a":[`, 20_000)),
		"proto cut off":      {0x0a, 0xff, 0x01},
		"proto of no fields": {0xff, 0xff, 0xff},
		"too large":          bytes.Repeat([]byte(" "), maxBatchRequest+1),
	}
	fields := m.Input().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.Kind() != protoreflect.StringKind {
			continue
		}
		value := `"\ud800"`
		raw := "\"\xff\xfe\""
		if f.IsList() {
			value, raw = "["+value+"]", "["+raw+"]"
		}
		all["lone surrogate in "+string(f.Name())] = fmt.Appendf(nil, `{%q:%s}`, f.Name(), value)
		all["invalid UTF-8 in "+string(f.Name())] = fmt.Appendf(nil, `{%q:%s}`, f.Name(), raw)
		all["proto invalid UTF-8 in "+string(f.Name())] = protowire.AppendString(protowire.AppendTag(nil, f.Number(), protowire.BytesType), "a\xffb")
	}
	return all
}

// FuzzCalls sends anything to any call.
func FuzzCalls(f *testing.F) {
	w := newWorld(f)
	u := w.user("ada")
	peer := identityOf(f).String()
	if _, err := u.Contacts().AddContact(u.ctx(), &contactsv1.AddContactRequest{Odid: peer, Remark: "bob"}); err != nil {
		f.Fatal(err)
	}
	calls := methods(f)
	usual := map[string]string{"odid": peer, "contact": "bob", "contacts": peer, "remark": "r", "name": "n", "text": "t", "code": "482-193", "state": "busy", "permissions": "audio", "after": "0", "group": "g", "names": "g", "key": "k", "app": "mail", "source": "import"}
	for i, m := range calls {
		msg := request(f, m)
		fill(msg, usual)
		inJSON, err := api.MarshalJSON(msg.Interface())
		if err != nil {
			f.Fatal(err)
		}
		inProto, err := proto.Marshal(msg.Interface())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), false, inJSON)
		f.Add(uint8(i), true, inProto)
	}
	f.Fuzz(func(t *testing.T, call uint8, inProto bool, body []byte) {
		m := calls[int(call)%len(calls)]
		encoding := "json"
		if inProto {
			encoding = "proto"
		}
		if wrong := complaint(m, u.server.answerOf(t.Context(), m, encoding, body)); wrong != "" {
			t.Errorf("%s: %s", m.Name(), wrong)
		}
	})
}
