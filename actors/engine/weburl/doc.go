// Package weburl reads addresses as browsers do, by the WHATWG URL standard:
// spaces, letters of any script, a bare '%', tabs and line breaks inside,
// backslashes, hosts in any script. Feeds, articles and posts carry such
// addresses; Go's net/url refuses them or writes them so that nothing opens
// them.
//
// The package never asks the network, and never decides whether two addresses
// are one page: that is for whoever makes identities.
package weburl
