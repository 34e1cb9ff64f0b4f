package contact

import (
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// AnyType stands for every media type in a setting.
const AnyType = "any"

// Limits of what settings of files hold.
const (
	maxTypes  = 64   // media types
	maxFolder = 4096 // bytes of a path
)

// usualFolder stands for the folder that the system has for what is received.
const usualFolder = "usual"

func fileTypes() Setting {
	return Setting{
		Name: "files-types", Default: AnyType, Form: AnyType + ", or media types with commas between them, as in image/*,application/pdf",
		Description: "Of which media types a file must be, by the ending of its name, to be received without asking you. Unless it is any, folders and files of no known type are not.",
		get:         func(p Policy) string { return p.FileTypes },
		set:         func(p *Policy, value string) { p.FileTypes = value },
		fit:         isTypes,
	}
}

func filesFolder() Setting {
	return Setting{
		Name: "files-folder", Default: usualFolder, Form: usualFolder + ", or the absolute path of a folder",
		Description: "Where files go unless you name another folder as you accept them. The usual folder is the one that contactsctl paths names.",
		get: func(p Policy) string {
			if p.FilesFolder == "" {
				return usualFolder
			}
			return p.FilesFolder
		},
		set: func(p *Policy, value string) {
			if p.FilesFolder = value; value == usualFolder {
				p.FilesFolder = ""
			}
		},
		fit: func(value string) bool { return value == usualFolder || isFolder(value) },
	}
}

// isFolder reports whether the text may be the path of a folder, in its plain form.
func isFolder(path string) bool {
	return filepath.IsAbs(path) && filepath.Clean(path) == path && utf8.ValidString(path) && CheckText("path", path, maxFolder) == nil
}

// isTypes reports whether the text is AnyType or media types (RFC 6838, section
// 4.2), in small letters and without parameters; the part behind the slash may be *.
func isTypes(text string) bool {
	if text == AnyType {
		return true
	}
	list := strings.Split(text, ",")
	for _, t := range list {
		top, sub, ok := strings.Cut(t, "/")
		if !ok || !isTypeName(top) || sub != "*" && !isTypeName(sub) {
			return false
		}
	}
	return len(list) <= maxTypes
}

func isTypeName(name string) bool {
	if name == "" || len(name) > 63 {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789!#$&-^_.+") == ""
}

// takesType reports whether files of a media type, "" for none that is known, are
// received without asking.
func (p Policy) takesType(mediaType string) bool {
	if p.FileTypes == AnyType {
		return true
	}
	top, _, ok := strings.Cut(mediaType, "/")
	if !ok {
		return false
	}
	for t := range strings.SplitSeq(p.FileTypes, ",") {
		if t == mediaType || t == top+"/*" {
			return true
		}
	}
	return false
}
