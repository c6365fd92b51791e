#!/bin/sh
echo toy
