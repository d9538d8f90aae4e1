package client

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A batch is well below what a server takes, so that back-pressure costs
// little to send again.
const (
	batchLines = 1000
	batchBytes = 2 << 20
	maxLine    = 16 << 20 // what a server takes
)

// batch is some lines of the input.
type batch struct {
	text  []byte
	first int // number of its first line in the input, from 1
}

// split cuts the input into batches. An array's elements become lines, and
// their numbers are those of the elements. An object over several lines is
// sent as it is.
func split(r io.Reader, send func(batch) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	if ahead, err := in.Peek(len(mark)); err == nil && string(ahead) == mark {
		_, _ = in.Discard(len(mark)) // it is in the buffer
	}
	c, err := firstCharacter(in)
	switch {
	case err == io.EOF:
		return nil
	case err != nil:
		return fmt.Errorf("read the input: %w", err)
	case c == '[':
		return splitArray(in, send)
	}
	return splitLines(in, send)
}

// mark begins files of some editors; it is no JSON.
const mark = "\ufeff"

var space = []byte(" \t\r\n") // JSON's

func firstCharacter(in *bufio.Reader) (byte, error) {
	for n := 1; ; n++ {
		ahead, err := in.Peek(n)
		if len(ahead) < n {
			if err == bufio.ErrBufferFull {
				return ' ', nil // 64 KiB of white space: the server says what it thinks of it
			}
			return 0, err
		}
		if c := ahead[n-1]; bytes.IndexByte(space, c) < 0 {
			return c, nil
		}
	}
}

func splitArray(in io.Reader, send func(batch) error) error {
	d := json.NewDecoder(in)
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("read the array: %w", err)
	}
	cut := cutter{send: send}
	for n := 1; d.More(); n++ {
		var element json.RawMessage
		if err := d.Decode(&element); err != nil {
			return errors.Join(cut.flush(), fmt.Errorf("read the array: element %d: %w", n, err))
		}
		var line bytes.Buffer
		if err := json.Compact(&line, element); err != nil {
			return fmt.Errorf("read the array: element %d: %w", n, err)
		}
		if err := cut.line(line.Bytes(), n); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return errors.Join(cut.flush(), fmt.Errorf("read the array: %w", err))
	}
	return cut.flush()
}

func splitLines(in io.Reader, send func(batch) error) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	cut := cutter{send: send}
	for n := 1; lines.Scan(); n++ {
		line := lines.Bytes()
		if !cut.begun && len(bytes.TrimSpace(line)) > 0 && !json.Valid(line) {
			return whole(line, lines, n, send)
		}
		if err := cut.line(line, n); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return errors.Join(cut.flush(), fmt.Errorf("read the input: %w", err))
	}
	return cut.flush()
}

// whole: the first line is no JSON by itself. The input is one object over
// several lines, or its first line is wrong; either way the server is asked.
func whole(line []byte, rest *bufio.Scanner, first int, send func(batch) error) error {
	text := append(bytes.Clone(line), '\n')
	for rest.Scan() {
		text = append(append(text, rest.Bytes()...), '\n')
		if len(text) > maxLine {
			return fmt.Errorf("read the input: its first line is no JSON, and as one value it is larger than %d bytes", maxLine)
		}
	}
	if err := rest.Err(); err != nil {
		return fmt.Errorf("read the input: %w", err)
	}
	return send(batch{text: text, first: first})
}

// cutter gathers lines into batches. Empty lines are kept, so that numbers
// stay right.
type cutter struct {
	send  func(batch) error
	begun bool
	now   batch
	lines int
}

func (c *cutter) line(line []byte, n int) error {
	if len(bytes.TrimSpace(line)) > 0 {
		c.begun = true
	}
	if c.lines == 0 {
		c.now.first = n
	}
	c.now.text = append(append(c.now.text, line...), '\n')
	if c.lines++; c.lines < batchLines && len(c.now.text) < batchBytes {
		return nil
	}
	return c.flush()
}

func (c *cutter) flush() error {
	if len(bytes.TrimSpace(c.now.text)) == 0 {
		c.now, c.lines = batch{}, 0
		return nil
	}
	b := c.now
	c.now, c.lines = batch{}, 0
	return c.send(b)
}
