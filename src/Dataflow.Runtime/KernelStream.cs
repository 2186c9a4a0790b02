using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>
/// Where ops are launched: a device's kernels, in the order of one of its streams. One that checks or records overrides a single function,
/// whatever kernels there are.
/// </summary>
/// <param name="kernels">The device's.</param>
public class KernelStream(IKernels kernels)
{
    /// <summary>Copies bytes between or within arenas.</summary>
    public virtual void Copy(nuint from, nuint to, Bytes length) => kernels.Copy(from, to, length);

    /// <summary>Sets bytes to zero.</summary>
    public virtual void Zero(nuint at, Bytes length) => kernels.Zero(at, length);

    /// <summary>Calls the kernel whose arguments these are.</summary>
    public virtual void Launch<T>(in T call)
        where T : struct, IKernelArguments => call.Launch(kernels);
}
