using System.Runtime.InteropServices;

namespace Dataflow.Cuda;

/// <summary>
/// Owns an object of the driver or of a library. A child keeps its parent alive: a context that is disposed of first goes when its last
/// stream, module or allocation has gone.
/// </summary>
public abstract class CudaHandle : SafeHandle
{
    private CudaHandle? parent;

    /// <summary>Owns nothing until <see cref="Adopt"/>.</summary>
    protected CudaHandle()
        : base(0, ownsHandle: true)
    {
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>The object itself, for code that hands it on at once; whoever keeps it keeps this alive.</summary>
    internal nint Value => IsClosed ? throw new ObjectDisposedException(GetType().Name) : handle;

    /// <summary>Owns that object from now on.</summary>
    private protected void Adopt(nint value, CudaHandle? of)
    {
        if (of is not null)
        {
            bool added = false;
            of.DangerousAddRef(ref added);
            parent = of;
        }

        SetHandle(value);
    }

    /// <summary>Gives it back; a status does not matter any more. May run on the finalizer's thread.</summary>
    private protected abstract void Release(nint value);

    /// <inheritdoc/>
    protected sealed override bool ReleaseHandle()
    {
        Release(handle);
        parent?.DangerousRelease();
        return true;
    }
}
