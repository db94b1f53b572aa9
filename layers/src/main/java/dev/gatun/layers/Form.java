package dev.gatun.layers;

/** How a sequence layer goes over time. All forms compute the same function. */
public enum Form {
    /** The whole sequence at once: for training and for reading a prompt. */
    PARALLEL,
    /** In pieces, the state carried between them: for long sequences. */
    CHUNKWISE,
    /** Token by token: the definition, and what writing text does. */
    RECURRENT
}
