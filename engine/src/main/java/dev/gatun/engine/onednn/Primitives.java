package dev.gatun.engine.onednn;

import dev.gatun.bindings.onednn.OneDnnPrimitive;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The primitives of oneDNN that were used last, by what they were prepared for: making one takes up to milliseconds, since
 * oneDNN writes machine code for it. One that falls out is given back once its last run is over.
 */
public final class Primitives {

    private static final int MOST = 512;
    private static final Map<Form, OneDnnPrimitive> RECENT = new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Form, OneDnnPrimitive> eldest) {
            return size() > MOST;
        }
    };

    /** Everything that a primitive depends on: equal forms share one. */
    public interface Form {
        /** Asks oneDNN for the primitive. */
        OneDnnPrimitive make();
    }

    private Primitives() {}

    /** The primitive of a form, made when it is not among the recent ones. */
    public static OneDnnPrimitive of(Form form) {
        synchronized (RECENT) {
            OneDnnPrimitive known = RECENT.get(form);
            if (known == null) {
                known = form.make();
                RECENT.put(form, known);
            }
            return known;
        }
    }

    /** How many are kept now; never more than 512. */
    public static int kept() {
        synchronized (RECENT) {
            return RECENT.size();
        }
    }
}
