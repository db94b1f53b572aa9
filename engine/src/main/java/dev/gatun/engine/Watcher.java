package dev.gatun.engine;

import java.util.List;

/** Is shown every op that runs in the scope it was given to. */
public interface Watcher {

    /** An op has run: its inputs as the kernel read them, and its outputs. */
    void ran(Op op, List<Tensor> inputs, List<Tensor> outputs);
}
