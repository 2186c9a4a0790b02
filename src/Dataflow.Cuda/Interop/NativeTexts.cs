using System.Runtime.InteropServices;

namespace Dataflow.Cuda.Interop;

/// <summary>An array of C texts; null where there are none.</summary>
internal sealed unsafe class NativeTexts : IDisposable
{
    private readonly nint[] texts;
    private readonly GCHandle pin;

    public NativeTexts(IEnumerable<string> all)
    {
        texts = [.. all.Select(Marshal.StringToCoTaskMemUTF8)];
        pin = GCHandle.Alloc(texts, GCHandleType.Pinned);
    }

    /// <summary>Valid until this is disposed of.</summary>
    public byte** Pointers => texts.Length == 0 ? null : (byte**)pin.AddrOfPinnedObject();

    public void Dispose()
    {
        pin.Free();
        Array.ForEach(texts, Marshal.FreeCoTaskMem);
    }
}
