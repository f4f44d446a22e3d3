"""Callers, clients and a provider in virtual time."""
