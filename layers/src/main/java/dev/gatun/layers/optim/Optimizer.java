package dev.gatun.layers.optim;

import dev.gatun.engine.Dispatch;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Fit;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/** Moves parameters against their gradients, by overwriting them between steps. */
public interface Optimizer {

    /**
     * One step.
     *
     * @param gradients one for each of the parameters the optimiser was made for, in their order
     * @param rate the learning rate of this step, see {@link Schedule}
     */
    void step(List<Tensor> gradients, double rate);

    /** Everything but the parameters that the next step depends on, by name: what a checkpoint keeps. */
    SequencedMap<String, Tensor> state();

    /**
     * Overwrites the state with another of the same kind, such as the tensors of a file.
     *
     * @throws dev.gatun.layers.MismatchException when names or shapes differ; nothing is overwritten then
     */
    default void restore(Map<String, Tensor> other) {
        Fit.check("the state does not fit the optimiser", specs(state()), specs(other));
        state().forEach((name, tensor) -> Dispatch.overwrite(other.get(name).to(tensor.dtype()), tensor));
    }

    private static Map<String, Spec> specs(Map<String, Tensor> tensors) {
        Map<String, Spec> specs = new LinkedHashMap<>();
        tensors.forEach((name, tensor) -> specs.put(name, tensor.spec()));
        return specs;
    }
}
