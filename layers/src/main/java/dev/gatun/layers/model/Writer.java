package dev.gatun.layers.model;

import dev.gatun.engine.Device;
import dev.gatun.engine.Key;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Form;
import dev.gatun.layers.States;
import dev.gatun.layers.Step;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;

/**
 * Continues a text token by token: reads what is given, then draws one token after another from the
 * model's scores and reads each in turn. What it writes depends on model, key and text alone.
 *
 * {@snippet :
 * Writer writer = new Writer(model, Key.of(7), 0.8, 40).read('p', 'u', 'b');
 * for (int i = 0; i < 200; i++) {
 *     System.out.write((int) writer.write());
 * }
 * }
 */
public final class Writer {

    private final LanguageModel model;
    private final Key key;
    private final double temperature;
    private final int topK;
    private LanguageModel.State state;
    private List<Tensor> mine = List.of(); // what of the state was made here, and not by the model
    private double[] scores;
    private long written;

    /**
     * Starts with an empty text.
     *
     * @param model is used {@linkplain LanguageModel#frozen frozen}; training it on changes what is written
     * @param temperature scores are divided by it: below 1 likely tokens become likelier, at 0 only the likeliest is taken
     * @param topK how many of the likeliest tokens are drawn from; 0 for all
     */
    public Writer(LanguageModel model, Key key, double temperature, int topK) {
        if (!(temperature >= 0) || topK < 0) {
            throw new IllegalArgumentException("writer: temperature " + temperature + " and top " + topK + " must not be negative");
        }
        this.model = model.frozen();
        this.key = key;
        this.temperature = temperature;
        this.topK = topK;
        try (Scope.Stay _ = Scope.at(model.params().device())) {
            this.state = this.model.start(1);
        }
    }

    /** Reads tokens as if they had been written. */
    public Writer read(long... ids) {
        if (ids.length > 0) {
            Device device = model.params().device();
            try (Scope scope = Scope.open("reading", device)) {
                Step<LanguageModel.State> step = model.forward(Tensor.of(Shape.of(1, ids.length), ids).to(device), state, Form.PARALLEL);
                scores = step.y().slice(1, ids.length - 1, ids.length).toDoubles();
                keep(step.state(), scope);
            }
        }
        return this;
    }

    /** Keeps a state, and lets go of what only the one before it held: a state that does not grow then takes no more memory. */
    private void keep(LanguageModel.State next, Scope scope) {
        List<Tensor> parts = States.tensors(next);
        Set<Object> needed = Collections.newSetFromMap(new IdentityHashMap<>());
        parts.forEach(part -> needed.add(part.memory()));
        List<Tensor> held = new ArrayList<>(parts.stream().filter(scope::owns).toList());
        for (Tensor part : mine) {
            if (needed.contains(part.memory())) {
                held.add(part);
            } else {
                scope.take(part);
            }
        }
        state = States.map(next, scope::keep);
        mine = held;
    }

    /** Writes the next token. */
    public long write() {
        if (scores == null) {
            throw new IllegalStateException("writer: nothing was read, so there is nothing to continue");
        }
        double share = (key.word(written++) >>> 11) * 0x1p-53;
        int id = draw(scores, temperature, topK, share);
        read(id);
        return id;
    }

    /** The id at which the shares of the ids before it, and its own, pass {@code share} of all. */
    static int draw(double[] scores, double temperature, int topK, double share) {
        int best = 0;
        for (int id = 1; id < scores.length; id++) {
            best = scores[id] > scores[best] ? id : best;
        }
        if (temperature == 0) {
            return best;
        }
        double least = Double.NEGATIVE_INFINITY;
        if (topK > 0 && topK < scores.length) {
            double[] sorted = scores.clone();
            Arrays.sort(sorted);
            least = sorted[scores.length - topK];
        }
        double[] weights = new double[scores.length];
        double sum = 0;
        for (int id = 0; id < weights.length; id++) {
            weights[id] = scores[id] >= least ? Math.exp((scores[id] - scores[best]) / temperature) : 0;
            sum += weights[id];
        }
        double left = share * sum;
        int last = best;
        for (int id = 0; id < weights.length; id++) {
            if (weights[id] > 0) {
                last = id;
                left -= weights[id];
                if (left < 0) {
                    break;
                }
            }
        }
        return last;
    }
}
