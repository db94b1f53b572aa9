package dev.gatun.layers;

import static dev.gatun.ops.Embedding.embedding;

import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;

/** A learned vector for each token id: {@code [B, T] -> [B, T, D]}. Vectors are normal numbers of deviation 0.02 at first. */
public final class Embedding {

    private final Tensor weight;

    /** One vector of this width for each of the ids {@code 0, …, vocab - 1}. */
    public Embedding(Params p, long vocab, long width) {
        this.weight = p.make("weight", Shape.of(vocab, width), Init.normal(0.02));
    }

    /** The vectors of these ids. */
    public Tensor forward(Tensor ids) {
        return embedding(weight, ids);
    }

    /** The product of each vector on the last axis with every id's vector: a head that shares these weights. */
    public Tensor scores(Tensor x) {
        return Linear.apply(weight, x);
    }
}
