package dev.gatun.engine;

import dev.gatun.engine.memory.HostPool;
import java.lang.ref.Cleaner;
import java.util.ArrayList;

/**
 * Owns the tensors that ops make on this thread while it is open, and hands their memory back to
 * the pool when it closes. Scopes nest per thread and close in order.
 *
 * {@snippet :
 * try (Scope step = Scope.open("step")) {
 *     Tensor loss = model.forward(x).sub(y).square().mean();
 *     params.update(grad(loss, params.values()), (w, g) -> w.sub(g.mul(0.1)));
 * }
 * }
 *
 * A tensor that is used after its scope closed is a {@link ScopeException}, never a crash. With no
 * scope open, tensors are returned when the garbage collector finds them unused.
 */
public final class Scope implements AutoCloseable {

    private static final System.Logger LOG = System.getLogger(Scope.class.getName());
    private static final Cleaner CLEANER = Cleaner.create();
    private static final ThreadLocal<Stack> STACK = ThreadLocal.withInitial(Scope::newStack);

    /** The scopes of one thread. A thread that ends with open ones leaked them, which its cleaner reports. */
    private static final class Stack implements Runnable {
        Scope current;
        Device place = Device.cpu();

        @Override
        public void run() {
            for (Scope open = current; open != null; open = open.parent) {
                long bytes = open.bytes();
                open.release();
                LOG.log(System.Logger.Level.WARNING, "scope \"" + open.name + "\" was never closed: its thread ended with "
                        + bytes + " bytes in it, now returned");
            }
        }
    }

    private final String name;
    private final Stack stack;
    private final Scope parent;
    private final Watcher watcher;
    private final Device before;
    private final ArrayList<Storage> owned = new ArrayList<>();
    private boolean closed;

    private Scope(String name, Stack stack, Watcher watcher) {
        this.name = name;
        this.stack = stack;
        this.parent = stack.current;
        this.watcher = watcher;
        this.before = stack.place;
    }

    private static Stack newStack() {
        Stack stack = new Stack();
        // The thread's local keeps this handle alive; the stack itself must not refer to it.
        HANDLE.set(new Object());
        CLEANER.register(HANDLE.get(), stack);
        return stack;
    }

    private static final ThreadLocal<Object> HANDLE = new ThreadLocal<>();

    /** A new innermost scope of this thread. */
    public static Scope open(String name) {
        Stack stack = STACK.get();
        return open(name, stack.current == null ? null : stack.current.watcher);
    }

    /** A new innermost scope whose ops, and those of the scopes inside it, are shown to a watcher. */
    public static Scope open(String name, Watcher watcher) {
        Stack stack = STACK.get();
        Scope scope = new Scope(name, stack, watcher);
        stack.current = scope;
        return scope;
    }

    /**
     * A new innermost scope of this thread in which ops without inputs, such as {@link Tensor#zeros}, make their tensors
     * on a device. Data given as numbers, {@link Tensor#of(DType, double...)}, lies on the CPU all the same.
     */
    public static Scope open(String name, Device place) {
        Scope scope = open(name);
        scope.stack.place = place;
        return scope;
    }

    /** Where ops without inputs make their tensors on this thread. */
    static Device place() {
        return STACK.get().place;
    }

    /** Ends a stay at a place. */
    public interface Stay extends AutoCloseable {
        @Override
        void close();
    }

    /** Lets ops without inputs make their tensors on a device until the result is closed. */
    public static Stay at(Device place) {
        Stack stack = STACK.get();
        Device before = stack.place;
        stack.place = place;
        return () -> stack.place = before;
    }

    static Scope current() {
        return STACK.get().current;
    }

    /** The watcher of the current scope, or null. */
    static Watcher watcher() {
        Scope scope = current();
        return scope == null ? null : scope.watcher;
    }

    /** The name this scope was opened with. */
    public String name() {
        return name;
    }

    /** Bytes of the blocks this scope owns. */
    public long bytes() {
        long bytes = 0;
        for (Storage storage : owned) {
            if (storage.owner() == this && storage.closedScope() == null) {
                bytes += storage.bytes();
            }
        }
        return bytes;
    }

    /**
     * Moves a tensor made in this scope to the enclosing one, or out of all scopes when there is
     * none. A tensor of an enclosing scope stays where it is.
     */
    public Tensor keep(Tensor t) {
        Storage storage = t.storage();
        if (storage != null && storage.owner() == this) {
            storage.ownedBy(parent);
        }
        return t;
    }

    /** Moves a tensor made in a scope inside this one here, so that it outlives that scope. */
    public Tensor adopt(Tensor t) {
        Storage storage = t.storage();
        if (storage != null && storage.owner() != null && storage.owner().isInside(this)) {
            storage.ownedBy(this);
        }
        return t;
    }

    /** Moves a tensor of an enclosing scope, or of none, in here, so that it ends with this scope: the way back from {@link #keep}. */
    public Tensor take(Tensor t) {
        Storage storage = t.storage();
        if (storage != null && (storage.owner() == null || isInside(storage.owner()))) {
            storage.ownedBy(this);
        }
        return t;
    }

    private boolean isInside(Scope outer) {
        Scope scope = parent;
        for (; scope != null && scope != outer; scope = scope.parent) { }
        return scope == outer;
    }

    /** Whether this scope, and no enclosing one, owns a tensor's memory. */
    public boolean owns(Tensor t) {
        return t.storage() != null && t.storage().owner() == this && t.storage().closedScope() == null;
    }

    /** Hands one tensor's memory back early, when this scope owns it. Its views end with it. */
    public void release(Tensor t) {
        Storage storage = t.storage();
        if (storage != null && storage.owner() == this) {
            storage.close(name);
        }
    }

    void add(Storage storage) {
        owned.add(storage);
    }

    /**
     * Ends the tensors of this scope.
     *
     * @throws ScopeException when a scope inside is still open, or on another thread
     */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        if (STACK.get() != stack) {
            throw new ScopeException("scope \"" + name + "\" is closed by a thread that did not open it");
        }
        if (stack.current != this) {
            throw new ScopeException("scope \"" + name + "\" is closed while \"" + stack.current.name + "\" inside it is open");
        }
        stack.current = parent;
        stack.place = before;
        release();
    }

    private void release() {
        closed = true;
        for (Storage storage : owned) {
            if (storage.owner() == this) {
                storage.close(name);
            }
        }
        owned.clear();
    }

    @Override
    public String toString() {
        return "scope \"" + name + "\" with " + bytes() + " bytes of " + HostPool.shared().liveBytes() + " live";
    }
}
