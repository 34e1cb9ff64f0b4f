package profile

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"contactsd/contact"
)

// Limits of a profile's texts.
const (
	MaxBioRunes = 500
	MaxBioSize  = 2000 // bytes
	MaxWords    = 32   // skills, and as many communities
	MaxWordSize = 64   // bytes of one of them
)

// Profile is what a device tells of its user.
type Profile struct {
	Name        string // at most contact.MaxNameSize bytes
	Bio         string // may have several lines
	Skills      []string
	Communities []string
	Picture     Picture
	// Rev rises with every change, 0 as long as nothing was set. It is the time of
	// the change in Unix milliseconds, unless the clock went back.
	Rev uint64
}

// Kept is what this device knows of another's profile.
type Kept struct {
	Profile
	AsOf   time.Time // when it was fetched
	Live   bool      // just now, from the device itself
	Listed bool      // the device is on the contact list
}

// Change is what a user sets of the profile; what is nil stays. An empty Picture
// takes the picture away.
type Change struct {
	Name        *string
	Bio         *string
	Skills      *[]string
	Communities *[]string
	Picture     *Picture
}

// apply returns p with the change, white space around each text cut off. Errors:
// *contact.LimitError, *contact.InvalidError.
func (c Change) apply(p Profile) (Profile, error) {
	if c.Name != nil {
		if p.Name = strings.TrimSpace(*c.Name); p.Name == "" {
			return Profile{}, &contact.InvalidError{Field: "name", Reason: "empty"}
		}
	}
	if c.Bio != nil {
		p.Bio = strings.TrimSpace(*c.Bio)
	}
	if c.Skills != nil {
		p.Skills = trimmed(*c.Skills)
	}
	if c.Communities != nil {
		p.Communities = trimmed(*c.Communities)
	}
	if c.Picture != nil {
		p.Picture = *c.Picture
	}
	return p, p.checkTexts()
}

func trimmed(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = strings.TrimSpace(w)
	}
	return out
}

// checkTexts returns what is wrong with the texts, those of this device and of
// others alike: *contact.LimitError or *contact.InvalidError. Characters that turn
// the reading direction are kept; whoever displays text shows them safely.
func (p Profile) checkTexts() error {
	if err := contact.CheckText("name", p.Name, contact.MaxNameSize); err != nil {
		return err
	}
	if n := utf8.RuneCountInString(p.Bio); n > MaxBioRunes {
		return &contact.LimitError{Field: "bio", Got: n, Limit: MaxBioRunes, Unit: "characters"}
	}
	if err := contact.CheckText("bio", strings.ReplaceAll(p.Bio, "\n", " "), MaxBioSize); err != nil {
		return err
	}
	if err := checkWords("skills", p.Skills); err != nil {
		return err
	}
	return checkWords("communities", p.Communities)
}

func checkWords(field string, words []string) error {
	if len(words) > MaxWords {
		return &contact.LimitError{Field: field, Got: len(words), Limit: MaxWords, Unit: "items"}
	}
	for i, w := range words {
		if w == "" {
			return &contact.InvalidError{Field: field, Reason: "an empty item"}
		}
		if err := contact.CheckText(field, w, MaxWordSize); err != nil {
			return err
		}
		if slices.Contains(words[:i], w) {
			return &contact.InvalidError{Field: field, Reason: fmt.Sprintf("%q is there twice", w)}
		}
	}
	return nil
}

// same reports whether two profiles tell the same, whatever their revisions.
func same(a, b Profile) bool {
	return a.Name == b.Name && a.Bio == b.Bio && string(a.Picture) == string(b.Picture) &&
		slices.Equal(a.Skills, b.Skills) && slices.Equal(a.Communities, b.Communities)
}
