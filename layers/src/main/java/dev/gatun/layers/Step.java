package dev.gatun.layers;

import dev.gatun.engine.Tensor;

/** What a sequence layer returns: its output and the state after the last token. */
public record Step<S>(Tensor y, S state) {}
