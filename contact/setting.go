package contact

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Policy is what the user decided about how the device behaves towards others.
// DefaultPolicy protects; Settings describes each of them.
type Policy struct {
	Gossip         bool
	Requests       RequestPolicy
	NotifyRequests bool
	MaxWaiting     int // strangers whose requests wait
	Stamps         int // zero bits of each stamp of a stranger's request, 0 for no stamps
	Profile        Audience
	Checks         Audience
	HonourPart     bool
	DiscloseBlocks bool
	MaxBlocked     int // devices on the blocklist
	MaxUntrusted   int // contacts that are not paired, 0 for what the standing allows
	Files          FilePolicy
	MaxFile        int    // MB of a file that is received without asking
	FileTypes      string // media types of files that are, with commas, as ParseTypes takes them; AnyType for all
	FilesFolder    string // absolute, where they go; "" for the usual folder
	FilesKept      int    // days for which transfers that are over stay in the list
	NotifyMessages bool
	NotifyFiles    bool
	NotifyPairing  bool
	NotifyNames    bool // say of whom they are
	AwayAfter      int  // minutes without activity; 0 for never
}

// RequestPolicy is what becomes of a stranger's request.
type RequestPolicy string

const (
	RequestsConfirm RequestPolicy = "confirm" // it waits for the user
	RequestsAny     RequestPolicy = "any"     // it is accepted at once
	RequestsNone    RequestPolicy = "none"    // it is dropped, and the sender not told
)

// FilePolicy is whose files are received without asking the user.
type FilePolicy string

const (
	FilesAsk      FilePolicy = "ask"      // nobody's
	FilesPaired   FilePolicy = "paired"   // those of paired contacts
	FilesContacts FilePolicy = "contacts" // those of all contacts
)

// TakesFile reports whether a file of so many bytes and of a media type, "" for one
// of no known type or a folder, offered by a contact with whom things stand as v says,
// is received without asking the user.
func (p Policy) TakesFile(v View, size uint64, mediaType string) bool {
	if size > uint64(max(p.MaxFile, 0))*1_000_000 || !v.Given.Has(Messages) || !p.takesType(mediaType) {
		return false
	}
	return p.Files == FilesContacts || p.Files == FilesPaired && v.Trust == Paired
}

// Audience is who may ask this device for something.
type Audience string

const (
	Anyone       Audience = "anyone" // who can reach the device
	ContactsOnly Audience = "contacts"
	Nobody       Audience = "nobody"
)

// Setting is one thing that the user decides.
type Setting struct {
	Name        string
	Default     string
	Choices     []string // nil for a number or text
	Min, Max    int      // of a number
	Form        string   // of text: what it can be, for the user
	Description string   // for the user, in sentences

	get func(Policy) string
	set func(*Policy, string)
	fit func(string) bool // of text: it can be that
}

// Settings returns all settings, in the order in which they are shown.
func Settings() []Setting {
	return []Setting{
		choice("requests", []RequestPolicy{RequestsConfirm, RequestsAny, RequestsNone}, RequestsConfirm,
			func(p *Policy) *RequestPolicy { return &p.Requests },
			"What becomes of a stranger's request: it waits until you confirm it, is accepted from any device at once, or none is taken. Who sends one sees only that it is pending. Somebody you removed always needs your word."),
		toggle("request-notifications", true,
			func(p *Policy) *bool { return &p.NotifyRequests },
			"Whether a new request notifies you. It is listed in any case."),
		toggle("notify-messages", true,
			func(p *Policy) *bool { return &p.NotifyMessages },
			"Whether a new message notifies you. What it says is never shown there, and while you are busy nothing is."),
		toggle("notify-files", true,
			func(p *Policy) *bool { return &p.NotifyFiles },
			"Whether a file that is offered and waits for your word notifies you, unless you are busy."),
		toggle("notify-pairing", true,
			func(p *Policy) *bool { return &p.NotifyPairing },
			"Whether it notifies you that a device has paired with this one."),
		toggle("notify-names", true,
			func(p *Policy) *bool { return &p.NotifyNames },
			"Whether notifications say from whom something is, and how a file is called. While off a request can't be answered in its notification."),
		number("away-after", 5, 0, 240,
			func(p *Policy) *int { return &p.AwayAfter },
			"After how many minutes in which you do nothing at this device you are away, and online again as soon as you do something; 0 for never. Only the tray and the page know what you do: without them you never are."),
		number("max-waiting", 32, 1, 10_000,
			func(p *Policy) *int { return &p.MaxWaiting },
			"How many strangers' requests wait at most. Further ones are told to try later."),
		number("stamps", 6, 0, MaxDifficultySet,
			func(p *Policy) *int { return &p.Stamps },
			"How much work a stranger's device has to do for a request, so that many requests cost much: each step up doubles it, and 6 is about a second in all. While many wait it rises by itself. 0 asks for none."),
		choice("profile", []Audience{Anyone, ContactsOnly, Nobody}, Anyone,
			func(p *Policy) *Audience { return &p.Profile },
			"Who may read your profile: anyone who has your ODID and can reach this device, your contacts, or nobody. Who is blocked or was removed never may."),
		choice("checks", []Audience{Anyone, ContactsOnly, Nobody}, ContactsOnly,
			func(p *Policy) *Audience { return &p.Checks },
			"Who may ask this device whether they are on your list."),
		toggle("disclose-blocks", false,
			func(p *Policy) *bool { return &p.DiscloseBlocks },
			"Whether such an answer tells who is blocked that they are. While off they can't tell it from being removed."),
		toggle("honour-removal", true,
			func(p *Policy) *bool { return &p.HonourPart },
			"Whether a contact who removes you and asks both to part is removed here as well."),
		number("max-blocked", 1000, 1, 100_000,
			func(p *Policy) *int { return &p.MaxBlocked },
			"How many devices the blocklist holds at most."),
		number("max-untrusted", 0, 0, 1_000_000,
			func(p *Policy) *int { return &p.MaxUntrusted },
			"How many contacts may be untrusted at most; 0 for what this device's standing allows: 250, with 1 paired contact 1000, with 5 3000, with 20 10000. Paired contacts are never counted."),
		choice("files", []FilePolicy{FilesAsk, FilesPaired, FilesContacts}, FilesAsk,
			func(p *Policy) *FilePolicy { return &p.Files },
			"Whose files are received without asking you: nobody's, those of paired contacts, or those of all contacts."),
		number("max-file", 100, 1, 1_000_000,
			func(p *Policy) *int { return &p.MaxFile },
			"Up to how many MB a file or folder is received without asking you, from those that the setting files names."),
		fileTypes(), filesFolder(),
		number("files-kept", 90, 1, 3650,
			func(p *Policy) *int { return &p.FilesKept },
			"For how many days transfers that are over stay in the list of files. The files themselves stay."),
		toggle("gossip", true,
			func(p *Policy) *bool { return &p.Gossip },
			"Whether contacts that see each other's presence pass on that of contacts which both have, so that you see those you are not connected with. Such a contact sees which of its own contacts you know. While off you see the presence of connected contacts only, and pass on nobody's."),
	}
}

// DefaultPolicy is the policy of a user who has decided nothing.
func DefaultPolicy() Policy {
	var p Policy
	for _, s := range Settings() {
		s.set(&p, s.Default)
	}
	return p
}

// Range says to the user what a setting without choices can be.
func (s Setting) Range() string {
	if s.fit != nil {
		return s.Form
	}
	return fmt.Sprintf("%d to %d", s.Min, s.Max)
}

// Value returns the setting as p has it.
func (s Setting) Value(p Policy) string { return s.get(p) }

// Set decides one setting. Errors: *InvalidError that names what it can be.
func (p *Policy) Set(name, value string) error {
	all := Settings()
	i := slices.IndexFunc(all, func(s Setting) bool { return s.Name == name })
	if i < 0 {
		names := make([]string, len(all))
		for i, s := range all {
			names[i] = s.Name
		}
		return &InvalidError{Field: "settings", Reason: fmt.Sprintf("unknown setting %.40q: use %s", name, strings.Join(names, ", "))}
	}
	if err := all[i].check(value); err != nil {
		return err
	}
	all[i].set(p, value)
	return nil
}

func (s Setting) check(value string) error {
	if s.Choices != nil {
		if slices.Contains(s.Choices, value) {
			return nil
		}
		return &InvalidError{Field: s.Name, Reason: fmt.Sprintf("can't be %.40q: use %s", value, strings.Join(s.Choices, ", "))}
	}
	if s.fit != nil {
		if s.fit(value) {
			return nil
		}
		return &InvalidError{Field: s.Name, Reason: fmt.Sprintf("can't be %.40q: use %s", value, s.Form)}
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < s.Min || n > s.Max {
		return &InvalidError{Field: s.Name, Reason: fmt.Sprintf("can't be %.40q: use a number from %d to %d", value, s.Min, s.Max)}
	}
	return nil
}

func choice[T ~string](name string, choices []T, start T, field func(*Policy) *T, description string) Setting {
	s := Setting{
		Name: name, Default: string(start), Description: description,
		get: func(p Policy) string { return string(*field(&p)) },
		set: func(p *Policy, value string) { *field(p) = T(value) },
	}
	for _, c := range choices {
		s.Choices = append(s.Choices, string(c))
	}
	return s
}

func toggle(name string, start bool, field func(*Policy) *bool, description string) Setting {
	word := func(on bool) string {
		if on {
			return "on"
		}
		return "off"
	}
	return Setting{
		Name: name, Default: word(start), Choices: []string{"on", "off"}, Description: description,
		get: func(p Policy) string { return word(*field(&p)) },
		set: func(p *Policy, value string) { *field(p) = value == "on" },
	}
}

func number(name string, start, low, high int, field func(*Policy) *int, description string) Setting {
	return Setting{
		Name: name, Default: strconv.Itoa(start), Min: low, Max: high, Description: description,
		get: func(p Policy) string { return strconv.Itoa(*field(&p)) },
		set: func(p *Policy, value string) { *field(p), _ = strconv.Atoi(value) }, // checked before
	}
}
