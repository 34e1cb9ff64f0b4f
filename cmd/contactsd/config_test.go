package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestConfigurationOrder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(file, []byte("listen = [\"/ip4/127.0.0.1/tcp/1\"]\nmdns = false\npage = \"off\"\nlog_level = \"warn\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		args  []string
		env   map[string]string
		want  config
		named string
	}{
		{"defaults", nil, nil, defaults(), ""},
		{"file over defaults", nil, nil, config{[]string{"/ip4/127.0.0.1/tcp/1"}, false, "off", "warn"}, file},
		{
			"environment over file", nil,
			map[string]string{"CONTACTSD_LISTEN": "/ip4/127.0.0.1/tcp/2, /ip4/127.0.0.1/tcp/3", "CONTACTSD_MDNS": "true", "CONTACTSD_PAGE": "auto"},
			config{[]string{"/ip4/127.0.0.1/tcp/2", "/ip4/127.0.0.1/tcp/3"}, true, "auto", "warn"}, file,
		},
		{
			"flags over all",
			[]string{"--listen=/ip4/127.0.0.1/tcp/4", "--mdns=false", "--page=127.0.0.1:0", "--log-level=error"},
			map[string]string{"CONTACTSD_LISTEN": "/ip4/127.0.0.1/tcp/2", "CONTACTSD_MDNS": "true", "CONTACTSD_LOG_LEVEL": "debug"},
			config{[]string{"/ip4/127.0.0.1/tcp/4"}, false, "127.0.0.1:0", "error"}, file,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := load(t, test.named, test.args, test.env)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Listen, test.want.Listen) || got.MDNS != test.want.MDNS || got.LogLevel != test.want.LogLevel {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func load(t *testing.T, path string, args []string, env map[string]string) (config, error) {
	t.Helper()
	cmd := newCommand()
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	named := path != ""
	if !named {
		path = filepath.Join(t.TempDir(), "none.toml")
	}
	return loadConfig(path, named, cmd.Flags(), func(key string) (string, bool) {
		v, ok := env[key]
		return v, ok
	})
}

func TestConfigurationRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unknown key", "lissten = []\n", `unknown key "lissten"`},
		{"wrong type", "mdns = \"yes\"\n", "configuration"},
		{"not TOML", "listen = [\n", "configuration"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config.toml")
			if err := os.WriteFile(file, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := load(t, file, nil, nil); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
	if _, err := load(t, filepath.Join(t.TempDir(), "named.toml"), nil, nil); err == nil {
		t.Error("a named file that is missing was accepted")
	}
	if _, err := load(t, "", nil, map[string]string{"CONTACTSD_MDNS": "perhaps"}); err == nil || !strings.Contains(err.Error(), "CONTACTSD_MDNS") {
		t.Errorf("bad environment: %v", err)
	}
	if _, err := (config{LogLevel: "loud"}).logger(); err == nil || !strings.Contains(err.Error(), "unknown log level") {
		t.Errorf("bad log level: %v", err)
	}
}
