package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"unicode/utf8"
)

// maxBody bounds the body of a request, in bytes.
const maxBody = 4 << 10

// input is what a POST carries: strings by name.
type input struct {
	form   bool // it was a form: the answer is 303, else JSON
	fields map[string]string
}

// readInput reads the body, JSON or a form, with at most the named fields, each
// once. A request that has neither body nor Content-Type has none of them.
// Errors are of type [*problem]; the input says also then how to answer.
func readInput(w http.ResponseWriter, r *http.Request, names ...string) (input, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	in := input{form: media == "application/x-www-form-urlencoded"}
	bare := r.Header.Get("Content-Type") == "" && r.ContentLength == 0
	if !bare && (err != nil || !in.form && media != "application/json") {
		return in, badMedia
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return in, tooLarge
	case err != nil || !utf8.Valid(body):
		return in, badBody
	case bare:
		return in, nil
	case in.form:
		in.fields, err = formFields(body)
	default:
		err = strictJSON(body, &in.fields)
	}
	if err != nil || in.fields == nil { // null is no object
		return in, badBody
	}
	for name := range in.fields {
		if !slices.Contains(names, name) {
			return in, badBody
		}
	}
	return in, nil
}

func formFields(body []byte) (map[string]string, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	fields := make(map[string]string, len(values))
	for name, v := range values {
		if len(v) != 1 || !utf8.ValidString(v[0]) {
			return nil, fmt.Errorf("field %q is not one text", name)
		}
		fields[name] = v[0]
	}
	return fields, nil
}

// strictJSON decodes one JSON text, with no unknown fields and nothing behind it.
func strictJSON(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is something behind the JSON text")
	}
	return nil
}
