//go:build !amd64 && !386

package main

var ports []call
