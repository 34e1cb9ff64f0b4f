package web

import (
	"cmp"
	"fmt"
	"html/template"
	"strings"
	"time"
	"unicode"

	"google.golang.org/protobuf/types/known/timestamppb"

	contactsv1 "contactsd/api/contacts/v1"
)

// words are the functions that templates use.
func words() template.FuncMap {
	return template.FuncMap{
		"title":       title,
		"called":      profileTitle,
		"short":       short,
		"initials":    initials,
		"presence":    presenceWord,
		"seen":        func(p *contactsv1.Presence) string { return lastSeen(p, time.Now()) },
		"clock":       func(t *timestamppb.Timestamp) string { return clock(t, time.Now()) },
		"iso":         iso,
		"permits":     permissionWord,
		"state":       stateWord,
		"fileWord":    fileWord,
		"fileActs":    fileActs,
		"actWord":     actWord,
		"size":        sizeText,
		"requestWord": requestWord,
		"wantsCard":   wantsCard,
		"checkWord":   checkWord,
		"checkSource": checkSource,
		"fieldText":   fieldText,
		"bytes":       bytesText,
		"dict":        dict,
		"groupTerm":   groupTerm,
		"join":        func(words []string) string { return strings.Join(words, ", ") },
		"list":        func(all ...string) []string { return all },
		"spell":       spell,
		"settingName": settingName,
		"typed":       typed,
		"numeric":     numeric,
		"secondsTo":   func(t *timestamppb.Timestamp) int { return secondsTo(t, time.Now()) },
		"stateName":   func(state string) string { return presenceWord(&contactsv1.Presence{State: state}) },
	}
}

// title is what a contact is called here: the remark, else its own name, else the
// beginning of its ODID.
func title(c *contactsv1.Contact) string {
	return cmp.Or(c.GetRemark(), c.GetName(), short(c.GetOdid()))
}

// short is enough of an ODID for a person to tell it from others.
func short(odid string) string {
	if len(odid) > 13 {
		return odid[:13] + "…"
	}
	return odid
}

// initials are the first letters of the first and the last word, or a sign for a name
// without any.
func initials(name string) string {
	var all []rune
	for _, w := range strings.Fields(name) {
		for _, r := range w {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				all = append(all, unicode.ToUpper(r))
				break
			}
		}
	}
	switch len(all) {
	case 0:
		return "·"
	case 1:
		return string(all)
	}
	return string([]rune{all[0], all[len(all)-1]})
}

// spell has a screen reader read digits one by one.
func spell(digits string) string { return strings.Join(strings.Split(digits, ""), " ") }

// secondsTo is how long it is until t, 0 for what is past.
func secondsTo(t *timestamppb.Timestamp, now time.Time) int {
	return int(max(0, t.AsTime().Sub(now)).Round(time.Second) / time.Second)
}

func presenceWord(p *contactsv1.Presence) string {
	switch p.GetState() {
	case "online":
		return "Online"
	case "away":
		return "Away"
	case "busy":
		return "Busy"
	case "offline":
		return "Offline"
	case "invisible":
		return "Invisible"
	default:
		return "Not known"
	}
}

// lastSeen is empty for who is there, or was never seen.
func lastSeen(p *contactsv1.Presence, now time.Time) string {
	switch p.GetState() {
	case "online", "away", "busy", "invisible":
		return ""
	}
	if p.GetLastSeen() == nil {
		return ""
	}
	return "last seen " + ago(now.Sub(p.LastSeen.AsTime()))
}

// ago says how long something is past.
func ago(d time.Duration) string {
	for _, u := range []struct {
		below, unit time.Duration
		name        string
	}{
		{time.Hour, time.Minute, "minute"}, {24 * time.Hour, time.Hour, "hour"}, {1 << 62, 24 * time.Hour, "day"},
	} {
		switch n := int(d / u.unit); {
		case d < time.Minute:
			return "just now"
		case d >= u.below:
		case n == 1:
			return "1 " + u.name + " ago"
		default:
			return fmt.Sprintf("%d %ss ago", n, u.name)
		}
	}
	return ""
}

// clock is a time as short as it is clear on that day, in this machine's zone.
func clock(t *timestamppb.Timestamp, now time.Time) string {
	if t == nil {
		return ""
	}
	at := t.AsTime().In(now.Location())
	switch {
	case at.YearDay() == now.YearDay() && at.Year() == now.Year():
		return at.Format("15:04")
	case now.Sub(at) < 6*24*time.Hour && at.Before(now):
		return at.Format("Mon 15:04")
	case at.Year() == now.Year():
		return at.Format("2 Jan 15:04")
	}
	return at.Format("2 Jan 2006 15:04")
}

func iso(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Format(time.RFC3339)
}

func permissionWord(name string) string {
	switch name {
	case "messages":
		return "Send messages"
	case "audio":
		return "Call by voice"
	case "video":
		return "Call by video"
	case "status":
		return "See presence"
	}
	return name
}

// stateWord says how a message stands.
func stateWord(state string) string {
	switch state {
	case "queued":
		return "Waiting"
	case "delivered":
		return "Delivered"
	case "failed":
		return "Not delivered"
	case "cancelled":
		return "Cancelled"
	}
	return ""
}

// settingName is the name of a setting as a label.
func settingName(name string) string {
	words := strings.ReplaceAll(name, "-", " ")
	return strings.ToUpper(words[:min(1, len(words))]) + words[min(1, len(words)):]
}

// typed reports whether a setting is a number or text: its only choice says which.
func typed(s *contactsv1.Setting) bool { return len(s.Choices) == 1 }

// numeric reports whether a setting is a number: its only choice is a range.
func numeric(s *contactsv1.Setting) bool {
	var low, high int
	n, _ := fmt.Sscanf(strings.Join(s.Choices, " "), "%d to %d", &low, &high)
	return n == 2
}

// fieldText is the value of a custom field for a person.
func fieldText(f *contactsv1.Field) string {
	switch f.Value.(type) {
	case *contactsv1.Field_Data:
		return fmt.Sprintf("%d bytes of data", len(f.GetData()))
	case *contactsv1.Field_Number:
		return fmt.Sprint(f.GetNumber())
	}
	return f.GetText()
}

// bytesText is a size as people read it, "1.2 MB".
func bytesText(n float64) string {
	for _, unit := range []string{"bytes", "kB", "MB"} {
		if n < 1000 {
			return fmt.Sprintf("%.3g %s", n, unit)
		}
		n /= 1000
	}
	return fmt.Sprintf("%.3g GB", n)
}

// dict makes what a template hands another one, of keys and values in turn.
func dict(pairs ...any) map[string]any {
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m
}

// sizeText is bytesText of a number of any kind.
func sizeText(n any) string {
	switch n := n.(type) {
	case uint64:
		return bytesText(float64(n))
	case int64:
		return bytesText(float64(n))
	}
	return fmt.Sprint(n)
}
