package dev.gatun.cli;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Form;
import dev.gatun.layers.Inside;
import dev.gatun.layers.Params;
import dev.gatun.layers.SequenceLayer;
import dev.gatun.layers.States;
import dev.gatun.layers.Step;
import dev.gatun.layers.model.LanguageModel;
import dev.gatun.ops.Random;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Walks a small layer over a few tokens and prints what it computes at each. */
@Command(
        name = "explain",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "Walks a small layer over a few tokens and prints its gates, its state and its output at each: "
                + "the numbers are the layer's own, in float64.")
final class ExplainCommand implements Callable<Integer> {

    /** More numbers than this are said in summary. */
    private static final int MOST = 16;
    private static final int LABEL = 34;

    @Parameters(paramLabel = "LAYER", description = "Which layer; train --help and an unknown name list them.")
    private String name;

    @Option(names = "--tokens", paramLabel = "N", defaultValue = "4", description = "How many tokens; the third repeats the first (default: 4).")
    private int tokens;

    @Option(names = "--width", paramLabel = "N", defaultValue = "4", description = "Features of a token, in heads of 4 (default: 4).")
    private long width;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "1", description = "Of weights and tokens (default: 1).")
    private long seed;

    @Override
    public Integer call() {
        if (tokens < 1 || tokens > 1000) {
            throw new UserError("--tokens: must be from 1 to 1000, is " + tokens);
        }
        if (width < 4 || width % 4 != 0) {
            throw new UserError("--width: must be a multiple of 4, is " + width);
        }
        if (!LanguageModel.layers().contains(name)) {
            throw new UserError("there is no layer \"" + name + "\"; there are " + String.join(", ", LanguageModel.layers()));
        }
        long heads = width / 4;
        LanguageModel.Config config = new LanguageModel.Config(
                name, 256, width, 1, heads, heads, width, tokens, true, 10_000, 0, false);
        Key key = Key.of(seed);
        Params params = Params.fresh(key.child("layer"), DType.F64);
        LanguageModel.layer(params, config); // draws the weights
        explain(LanguageModel.layer(params.frozen(), config), input(key));
        return 0;
    }

    /** Random tokens; the third is the first again, which shows what the layer remembers of it. */
    private Tensor input(Key key) {
        Tensor x = Random.normal(key.child("tokens"), DType.F64, Shape.of(1, tokens, width));
        return tokens < 3 ? x
                : Tensor.concat(1, List.of(x.slice(1, 0, 2), x.slice(1, 0, 1), x.slice(1, 3, tokens)));
    }

    private <S> void explain(SequenceLayer<S> layer, Tensor x) {
        System.out.printf("%s: %d tokens of %d features; how it works is in the Javadoc of %s%n", name, tokens, width, layer.getClass().getName());
        S state = layer.start(1);
        System.out.println("\nbefore any token");
        print(parts(state));
        List<Tensor> outputs = new ArrayList<>();
        for (int t = 0; t < tokens; t++) {
            System.out.printf("%ntoken %d%s%n", t + 1, t == 2 ? ", the first again" : "");
            Tensor token = x.slice(1, t, t + 1);
            line("x", token);
            Map<String, Tensor> inside = new LinkedHashMap<>();
            S before = state;
            Step<S> step = Inside.listen(inside::put, () -> layer.forward(token, before, Form.RECURRENT));
            print(inside);
            state = step.state();
            print(parts(state));
            line("y", step.y());
            outputs.add(step.y());
        }
        Tensor whole = layer.forward(x, layer.start(1), Form.PARALLEL).y();
        double difference = Arrays.stream(whole.sub(Tensor.concat(1, outputs)).abs().toDoubles()).max().orElse(0);
        System.out.printf(Locale.ROOT, "%nall tokens at once give the same outputs: the largest difference is %.1e%n", difference);
        System.out.printf("the state has %,d numbers after %d tokens%n",
                States.tensors(state).stream().mapToLong(tensor -> tensor.shape().elements()).sum(), tokens);
    }

    private static void print(Map<String, Tensor> tensors) {
        tensors.forEach(ExplainCommand::line);
    }

    private static void line(String label, Tensor x) {
        double[] values = x.toDoubles();
        StringBuilder line = new StringBuilder();
        if (values.length == 0) {
            line.append("nothing yet");
        } else if (values.length <= MOST) {
            long row = x.shape().rank() == 0 ? 1 : x.shape().last();
            for (int i = 0; i < values.length; i++) {
                line.append(i > 0 && i % row == 0 ? " |" : "").append(String.format(Locale.ROOT, "%8.4f", values[i]));
            }
        } else {
            double square = 0;
            for (double value : values) {
                square += value * value;
            }
            line.append(String.format(Locale.ROOT, "%8.4f%8.4f%8.4f ...  norm %.4f", values[0], values[1], values[2], Math.sqrt(square)));
        }
        System.out.printf("  %-" + LABEL + "s %-14s%s%n", label, x.shape(), line);
    }

    /** The tensors of a state by their names in its records. */
    private static Map<String, Tensor> parts(Object state) {
        Map<String, Tensor> parts = new LinkedHashMap<>();
        collect("state", state, parts);
        return parts;
    }

    private static void collect(String at, Object part, Map<String, Tensor> parts) {
        switch (part) {
            case Tensor tensor -> parts.put(at, tensor);
            case Record record -> {
                for (RecordComponent component : record.getClass().getRecordComponents()) {
                    try {
                        component.getAccessor().setAccessible(true);
                        collect(at + "." + component.getName(), component.getAccessor().invoke(record), parts);
                    } catch (ReflectiveOperationException e) {
                        throw new IllegalStateException(e);
                    }
                }
            }
            case List<?> list -> {
                for (int i = 0; i < list.size(); i++) {
                    collect(at + "." + i, list.get(i), parts);
                }
            }
            case null, default -> { }
        }
    }
}
