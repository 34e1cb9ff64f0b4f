package main

import "strings"

// assignments reads KEY=VALUE words with one of the known keys.
func assignments(args []string, known ...string) (map[string]*string, error) {
	hint := "use " + strings.Join(known, "=…, ") + "=…"
	values := make(map[string]*string, len(args))
	for _, arg := range args {
		key, value, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, usage(hint, "%q is not of the form KEY=VALUE", arg)
		}
		found := false
		for _, k := range known {
			found = found || k == key
		}
		switch {
		case !found:
			return nil, usage(hint, "unknown key %q", key)
		case values[key] != nil:
			return nil, usage(hint, "%s is given twice", key)
		}
		values[key] = &value
	}
	return values, nil
}
