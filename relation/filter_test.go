package relation_test

import (
	"errors"
	"strings"
	"testing"

	"contactsd/contact"
	"contactsd/relation"
)

func TestFilterIsRefusedInWords(t *testing.T) {
	for filter, want := range map[string]string{
		"color:red":               `filter: unknown key "color": use trust, relation, presence, group, source, app, field or permission, or put it in quotes`,
		"trust:some":              `filter: unknown trust "some": use untrusted, paired`,
		"ada presence:asleep":     `filter: unknown presence "asleep": use unknown, online, away, busy, offline`,
		"source:":                 `filter: unknown source "": use pairing, odid, profile, conversation, request, import`,
		"permission:x":            `filter: unknown permission "x": use messages, audio, video, status`,
		`group:"a`:                "filter: a quote is not closed",
		`"`:                       "filter: a quote is not closed",
		"field:":                  "field: it needs a name",
		"field:a-b=c":             `field: its name can't be "a-b": use letters, digits and underscores`,
		"a\x00":                   "filter: control character U+0000",
		strings.Repeat("x", 1025): "filter of 1025 bytes, at most 1024",
		strings.Repeat("x ", 17):  "filter of 17 terms, at most 16",
	} {
		_, err := relation.ParseFilter(filter)
		var limit *contact.LimitError
		var invalid *contact.InvalidError
		if err == nil || err.Error() != want || !errors.As(err, &limit) && !errors.As(err, &invalid) {
			t.Errorf("%.40q: %v, want %s", filter, err, want)
		}
	}
	for _, good := range []string{"", " ", `"color:red"`, `group:"A \"b\" \\"  app:x`, "field:a", "field:a=", `field:a="b c" d`, strings.Repeat("x ", 16)} {
		if _, err := relation.ParseFilter(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

func TestSortIsRefusedInWords(t *testing.T) {
	for _, bad := range []string{"size", "--name", "Name", "-"} {
		_, err := relation.ParseSort(bad)
		var invalid *contact.InvalidError
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), "use name, added, seen, trust, relation or source") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestFilterByAGroupThatIsNotThere(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		f, err := relation.ParseFilter("group:nobody")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.device('a').Page(relation.Query{Filter: f, Limit: 1}); !errors.Is(err, relation.ErrNoGroup) {
			t.Errorf("%v, want ErrNoGroup", err)
		}
	})
}

func FuzzFilter(f *testing.F) {
	for _, text := range []string{"ada", `group:"a b" field:x=1 trust:paired`, `"\\" "\"`, "field:a=\"", "presence:online  k"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		one, err := relation.ParseFilter(text)
		if err != nil && len(err.Error()) > 400 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
		if _, again := relation.ParseFilter(" " + text + " "); err == nil && again != nil && len(text) < 1000 {
			t.Errorf("%q is read, and with spaces around it is not: %v (%v)", text, again, one)
		}
	})
}
