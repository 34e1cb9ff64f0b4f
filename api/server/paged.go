package server

import (
	"slices"
	"strconv"
	"strings"
)

// pageOf returns the page of a list that was asked for, and the token of the next one,
// "" if there is none. A page begins after the last item of the one before, which the
// token names, or, when that is on the list no more, at the place where it was.
func pageOf[T any](list []T, id func(T) string, asked uint32, token string) (page []T, next string, err error) {
	size, err := pageSize(asked)
	if err != nil {
		return nil, "", err
	}
	from, err := resume(list, id, token)
	if err != nil {
		return nil, "", err
	}
	page = list[from:min(from+size, len(list))]
	if n := from + len(page); n < len(list) {
		next = strconv.Itoa(n) + ":" + id(page[len(page)-1])
	}
	return page, next, nil
}

func resume[T any](list []T, id func(T) string, token string) (int, error) {
	if token == "" {
		return 0, nil
	}
	place, last, ok := strings.Cut(token, ":")
	next, err := strconv.Atoi(place)
	if !ok || err != nil || next < 1 || last == "" {
		return 0, invalid("page_token", "not from a page of this list")
	}
	if i := slices.IndexFunc(list, func(one T) bool { return id(one) == last }); i >= 0 {
		return i + 1, nil
	}
	return min(next-1, len(list)), nil
}
