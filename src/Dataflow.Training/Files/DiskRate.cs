using System.Diagnostics;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>How fast a disk takes what is written to it.</summary>
public static class DiskRate
{
    private const int BlockBytes = 1 << 20;
    private const int MostBlocks = 64;

    /// <summary>Writes a file that nobody sees, flushes it, and measures that.</summary>
    /// <param name="folder">Exists.</param>
    /// <param name="typical">Of what will be written: the measurement takes no more than a fraction of that.</param>
    /// <returns>Bytes a second.</returns>
    /// <exception cref="UserErrorException">It cannot be written.</exception>
    public static double Measure(string folder, Bytes typical)
    {
        string path = Path.Combine(folder, $".rate.{Guid.NewGuid():N}.tmp");
        byte[] block = new byte[BlockBytes];
        Random.Shared.NextBytes(block);
        int blocks = (int)Math.Clamp(typical.Value / 8 / BlockBytes, 1, MostBlocks);
        try
        {
            using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
            File.Delete(path); // where open files can lose their name, nothing of it remains, whatever happens
            var clock = Stopwatch.StartNew();
            for (int b = 0; b < blocks; b++)
            {
                file.Write(block);
            }

            file.Flush(flushToDisk: true);
            return (double)blocks * BlockBytes / clock.Elapsed.TotalSeconds;
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.Unwritable(folder, e);
        }
    }
}
