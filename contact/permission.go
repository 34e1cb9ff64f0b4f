package contact

import (
	"fmt"
	"math/bits"
	"sort"
	"strings"

	"contactsd/internal/codec"
)

// Permissions is a set of what one device lets another do. On the wire and in
// JSON it is a sorted list of names; names that this version does not know are
// dropped on reading (the signed bytes keep them).
type Permissions uint8

const (
	Messages Permissions = 1 << iota // text, and files that the receiver accepts
	Audio                            // audio calls
	Video                            // video calls
	Presence                         // state and last seen; its name is "status"

	NoPermissions  Permissions = 0
	AllPermissions             = Messages | Audio | Video | Presence

	// PairedDefault is granted by pairing unless the user chose otherwise.
	PairedDefault = Messages | Presence
	// AddedDefault is granted by adding an ODID unless the user chose otherwise.
	AddedDefault = Messages
)

var permissionNames = [...]string{"messages", "audio", "video", "status"}

// ParsePermissions reads names, each of which may itself be a list with commas.
// An unknown name is an error that lists the known ones.
func ParsePermissions(names ...string) (Permissions, error) {
	var set Permissions
	for _, list := range names {
		for name := range strings.SplitSeq(list, ",") {
			name = strings.TrimSpace(name)
			if name == "" {
				continue
			}
			p, ok := permission(name)
			if !ok {
				return 0, fmt.Errorf("unknown permission %q: use %s", name, strings.Join(permissionNames[:], ", "))
			}
			set |= p
		}
	}
	return set, nil
}

func permission(name string) (Permissions, bool) {
	for i, n := range permissionNames {
		if n == name {
			return 1 << i, true
		}
	}
	return 0, false
}

// Has reports whether all of want are in the set.
func (p Permissions) Has(want Permissions) bool { return p&want == want }

// Names returns the names in the set's own order, [] for the empty set.
func (p Permissions) Names() []string {
	names := make([]string, 0, bits.OnesCount8(uint8(p)))
	for i, n := range permissionNames {
		if p.Has(1 << i) {
			names = append(names, n)
		}
	}
	return names
}

// String returns the names with commas, "none" for the empty set.
func (p Permissions) String() string {
	if p == 0 {
		return "none"
	}
	return strings.Join(p.Names(), ", ")
}

// MarshalCBOR encodes the set as an array of sorted names.
func (p Permissions) MarshalCBOR() ([]byte, error) {
	names := p.Names()
	sort.Strings(names)
	return codec.Marshal(names)
}

const maxPermissionNames = 16

// UnmarshalCBOR decodes a strictly sorted array of at most 16 names.
func (p *Permissions) UnmarshalCBOR(data []byte) error {
	var names []string
	if err := codec.Unmarshal(data, &names); err != nil {
		return err
	}
	if len(names) > maxPermissionNames {
		return fmt.Errorf("%d permissions, at most %d", len(names), maxPermissionNames)
	}
	*p = 0
	for i, name := range names {
		if i > 0 && names[i-1] >= name {
			return fmt.Errorf("permissions not sorted: %w", codec.ErrNotCanonical)
		}
		if known, ok := permission(name); ok {
			*p |= known
		}
	}
	return nil
}
