package archtest

import (
	"strings"
	"testing"
)

const module = "contactsd"

// inside says what of this module a package may import. A pattern that ends in
// /... stands for a package and all below it. The first row that fits counts; a
// package without a row fails, so that a new one is given its place.
var inside = []struct {
	pkg    string
	may    []string
	reason string
}{
	{"internal/codec", nil,
		"the encoding knows nothing of what it encodes"},
	{"contact", []string{"internal/codec"},
		"the domain is pure: everything depends on it, so it depends on nothing"},
	{"identity", []string{"contact", "internal/codec"},
		"the key signs what the domain defines and knows no feature"},
	{"store", []string{"contact", "internal/codec"},
		"the engine knows no feature's records"},
	{"transport", []string{"contact", "internal/codec"},
		"the contract does not depend on those who fulfil it"},
	{"transport/internal/...", []string{"contact"},
		"a part of the implementations"},
	{"transport/...", []string{"contact", "identity", "transport", "transport/internal/..."},
		"an implementation of the network knows no feature and no store"},
	{"stamp", []string{"contact", "internal/codec"},
		"stamps are made and examined by rules of their own; who owes them, the features say"},
	{"pairing", feature, featureReason},
	{"relation", append([]string{"stamp"}, feature...), featureReason},
	{"presence", feature, featureReason},
	{"message", feature, featureReason},
	{"file", feature, featureReason},
	{"check", feature, featureReason},
	{"profile", feature, featureReason},
	{"credit", feature, featureReason},
	{"card", feature, featureReason},
	{"spam", feature, featureReason},
	{"node", append([]string{"pairing", "relation", "presence", "message", "file", "check", "profile", "card", "credit", "stamp", "spam"}, feature...),
		"node composes the features and is itself no part of the API, nor bound to one transport"},
	{"api/server", []string{"api/...", "internal/home", "node", "pairing", "relation", "presence", "message", "file", "check", "profile", "card", "credit", "spam", "store", "transport", "contact", "identity"},
		"the server answers from the features; it opens no network"},
	{"api/...", []string{"api/..."},
		"the schema is shared with clients, so it drags nothing of the daemon along"},
	{"client", []string{"api", "api/contacts/...", "contact", "internal/codec", "internal/home"},
		"a client speaks the API and links nothing of the daemon"},
	{"web", []string{"api", "api/contacts/...", "client", "contact"},
		"the page speaks through client only, like any other program"},
	{"internal/home", nil,
		"where a home is, both the daemon and its clients must know"},
	{"internal/legible", nil,
		"how text of others is shown depends on nobody"},
	{"internal/browse", nil,
		"a browser is opened for whoever asks"},
	{"desktop/bus", nil,
		"the desktop knows nothing of contacts"},
	{"desktop", []string{"api", "api/contacts/...", "client", "desktop/bus", "internal/legible"},
		"the tray speaks through client only, like any other program"},
	{"cmd/contactsctl", []string{"api", "api/contacts/...", "client", "contact", "internal/browse", "internal/home", "internal/legible"},
		"the CLI speaks through client only"},
	{"cmd/contacts-tray", []string{"client", "desktop", "desktop/bus", "internal/browse", "internal/home", "internal/legible"},
		"the tray speaks through client only"},
	{"cmd/contactsd", []string{"..."},
		"the daemon wires everything"},
	{"internal/...", []string{"..."},
		"tests and tools see everything"},
}

var feature = []string{"contact", "identity", "store", "transport", "internal/codec"}

const featureReason = "features never import each other: they meet in a transaction, in events, and in functions that node hands them"

// outside says who alone may import a library, in tests as well.
var outside = []struct {
	library string
	only    []string
	reason  string
}{
	{"github.com/libp2p/", []string{"transport/p2p"}, "nobody else knows a peer ID, so the network can be replaced"},
	{"github.com/multiformats/", []string{"transport/p2p"}, "nobody else knows a multiaddr"},
	{"github.com/quic-go/", []string{"transport/p2p"}, "nobody else knows what carries a stream"},
	{"go.etcd.io/bbolt", []string{"store", "internal/bench"}, "what is on disk goes through typed tables and group commit; the bench measures what it costs without"},
	{"github.com/flynn/noise", []string{"pairing"}, "one place does the handshake"},
	{"github.com/pquerna/otp", []string{"pairing"}, "one place knows codes"},
	{"github.com/boombuler/", []string{"cmd/contactsctl", "web"}, "a QR code is drawn for whoever looks, at a terminal or the page"},
	{"github.com/gtank/ristretto255", []string{"pairing"}, "one place does the PAKE"},
	{"lukechampine.com/blake3", []string{"file", "internal/bench"}, "one place verifies what is received; the bench measures beside it"},
	{"golang.org/x/crypto/argon2", []string{"stamp"}, "one place knows what a stamp costs"},
	{"github.com/godbus/", []string{"desktop/bus", "internal/bustest"}, "one place speaks to the desktop, and one stands in for it"},
	{"github.com/spf13/", []string{"cmd/contactsctl", "cmd/contactsd", "cmd/contacts-tray"}, "flags belong to commands"},
	{"github.com/BurntSushi/toml", []string{"cmd/contactsd"}, "the configuration file belongs to the daemon's command"},
	{"github.com/fxamacker/cbor", []string{"internal/codec"}, "there is one dialect of CBOR"},
	{"filippo.io/edwards25519", []string{"contact"}, "curve points are judged once, as an ODID is made"},
	{"golang.org/x/image", []string{"profile"}, "one place decodes pictures of others"},
	{"connectrpc.com/connect", []string{"api/...", "client", "cmd/contactsctl", "cmd/contactsd", "internal/..."}, "features don't know that they are called over HTTP"},
	{"google.golang.org/protobuf", []string{"api/...", "client", "cmd/...", "internal/...", "web"}, "features don't know the API's messages"},
}

// closed are libraries that must not be linked, however indirectly.
var closed = []struct {
	pkg, library, reason string
}{
	{"cmd/contactsctl", "github.com/libp2p/", "the CLI stays small and starts at once"},
	{"cmd/contactsctl", "go.etcd.io/bbolt", "the CLI never touches the store, the daemon owns it"},
	{"cmd/contactsctl", module + "/store", "the CLI never touches the store, the daemon owns it"},
	{"cmd/contactsctl", module + "/identity", "the CLI never touches the key"},
	{"cmd/contacts-tray", "github.com/libp2p/", "the tray stays small"},
	{"cmd/contacts-tray", "go.etcd.io/bbolt", "the tray never touches the store, the daemon owns it"},
	{"cmd/contacts-tray", module + "/identity", "the tray never touches the key"},
	{"client", "github.com/libp2p/", "other programs link the client"},
	{"client", "go.etcd.io/bbolt", "other programs link the client"},
	{"contact", "net/http", "the domain has no I/O"},
	{"contact", "os/exec", "the domain has no I/O"},
	{"node", "github.com/libp2p/", "node runs on the simulated network, too"},
	{"node", "github.com/spf13/", "node is not a command"},
}

// domainLibraries are all libraries that the domain may use.
var domainLibraries = []string{"github.com/btcsuite/btcd/btcutil/bech32", "filippo.io/edwards25519"}

// matches reports whether a package, without the module's name, fits a pattern.
func matches(pattern, pkg string) bool {
	if pattern == "..." {
		return true
	}
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == base || strings.HasPrefix(pkg, base+"/")
	}
	return pkg == pattern
}

func TestPatterns(t *testing.T) {
	for _, tt := range []struct {
		pattern, pkg string
		want         bool
	}{
		{"store", "store", true},
		{"store", "store/x", false},
		{"store", "storex", false},
		{"api/...", "api", true},
		{"api/...", "api/server", true},
		{"api/...", "apix", false},
		{"...", "anything", true},
	} {
		if got := matches(tt.pattern, tt.pkg); got != tt.want {
			t.Errorf("%s matches %s: %v", tt.pattern, tt.pkg, got)
		}
	}
}

func anyMatches(patterns []string, pkg string) bool {
	for _, p := range patterns {
		if matches(p, pkg) {
			return true
		}
	}
	return false
}

func TestImportsRunDown(t *testing.T) {
	for _, p := range packages(t) {
		placed := false
		for _, rule := range inside {
			if !matches(rule.pkg, p.name()) {
				continue
			}
			placed = true
			for _, imp := range p.Imports {
				in, ok := strings.CutPrefix(imp, module+"/")
				if ok && in != p.name() && !anyMatches(rule.may, in) {
					t.Errorf("%s imports %s: %s", p.name(), in, rule.reason)
				}
			}
			break
		}
		if !placed {
			t.Errorf("%s has no place in the house: say in archtest what it may import", p.name())
		}
	}
}

// TestFeaturesMeetOnlyInNode: not even the tests of one feature use another, or
// they would hold each other in place.
func TestFeaturesMeetOnlyInNode(t *testing.T) {
	features := []string{"pairing", "relation", "presence", "message", "file", "check", "profile", "card"}
	for _, p := range packages(t) {
		if !anyMatches(features, p.name()) {
			continue
		}
		for _, imp := range p.all() {
			in, ok := strings.CutPrefix(imp, module+"/")
			if ok && in != p.name() && anyMatches(append(features, "node", "api/...", "client", "cmd/..."), in) {
				t.Errorf("%s or its tests import %s: %s", p.name(), in, featureReason)
			}
		}
	}
}

func TestToolsOfTestsAreNotShipped(t *testing.T) {
	shipped := []string{"cmd/contactsd", "cmd/contactsctl", "cmd/contacts-tray"}
	for _, p := range packages(t) {
		for _, imp := range p.Imports {
			switch in, _ := strings.CutPrefix(imp, module+"/"); {
			case anyMatches([]string{"transport/memnet", "transport/transporttest"}, in) && !anyMatches([]string{"internal/..."}, p.name()):
				t.Errorf("%s imports %s: it is for tests", p.name(), in)
			case imp == "testing" && !anyMatches([]string{"transport/transporttest", "internal/..."}, p.name()):
				t.Errorf("%s imports testing outside of its tests", p.name())
			}
		}
		if anyMatches(shipped, p.name()) {
			for _, dep := range p.Deps {
				if dep == "testing" || dep == module+"/transport/memnet" {
					t.Errorf("%s links %s: it is for tests", p.name(), dep)
				}
			}
		}
	}
}

func TestLibrariesStayInTheirPlace(t *testing.T) {
	used := make(map[string]bool)
	for _, p := range packages(t) {
		for _, imp := range p.all() {
			for _, rule := range outside {
				if !strings.HasPrefix(imp+"/", strings.TrimSuffix(rule.library, "/")+"/") {
					continue
				}
				used[rule.library] = true
				if !anyMatches(rule.only, p.name()) {
					t.Errorf("%s imports %s, which belongs to %s: %s", p.name(), imp, strings.Join(rule.only, ", "), rule.reason)
				}
			}
		}
	}
	for _, rule := range outside {
		if !used[rule.library] && rule.library != "github.com/quic-go/" {
			t.Errorf("nothing imports %s: drop its rule", rule.library)
		}
	}
}

func TestDomainIsPure(t *testing.T) {
	for _, p := range packages(t) {
		if p.name() != "contact" {
			continue
		}
		for _, imp := range p.Imports {
			external := strings.Contains(strings.SplitN(imp, "/", 2)[0], ".")
			if external && !anyMatches(domainLibraries, imp) {
				t.Errorf("contact imports %s: the domain depends on nothing but the two libraries that ODIDs need", imp)
			}
			switch imp {
			case "os", "net", "io/fs", "log", "log/slog", "context", "sync", "sync/atomic", "crypto/rand", "math/rand", "math/rand/v2":
				t.Errorf("contact imports %s: the domain has no I/O, no clock, no chance and no goroutine", imp)
			}
		}
	}
}

func TestWhatIsNeverLinked(t *testing.T) {
	found := make(map[string]bool)
	for _, p := range packages(t) {
		for _, rule := range closed {
			if p.name() != rule.pkg {
				continue
			}
			found[rule.pkg] = true
			for _, dep := range p.Deps {
				if strings.HasPrefix(dep+"/", strings.TrimSuffix(rule.library, "/")+"/") {
					t.Errorf("%s links %s: %s", p.name(), dep, rule.reason)
				}
			}
		}
	}
	for _, rule := range closed {
		if !found[rule.pkg] {
			t.Errorf("there is no package %s", rule.pkg)
		}
	}
}
