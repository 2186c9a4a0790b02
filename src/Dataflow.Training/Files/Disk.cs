namespace Dataflow.Training;

/// <summary>The machine's own.</summary>
internal sealed class Disk : IDisk
{
    private const int BufferBytes = 1 << 16;

    /// <summary>The one that all use but tests.</summary>
    public static Disk Real { get; } = new();

    /// <inheritdoc/>
    public Stream CreateFile(string path)
    {
        FileSizeLimit.MakeItAnError();
        return new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, BufferBytes);
    }

    /// <inheritdoc/>
    public void FlushFile(Stream file)
    {
        if (file is FileStream onDisk)
        {
            onDisk.Flush(flushToDisk: true);
        }
        else
        {
            file.Flush();
        }
    }

    /// <inheritdoc/>
    public void RenameFile(string from, string to) => File.Move(from, to, overwrite: true);

    /// <inheritdoc/>
    public void DeleteFile(string path) => File.Delete(path);

    /// <inheritdoc/>
    public void CreateFolder(string path) => Directory.CreateDirectory(path);

    /// <inheritdoc/>
    public void RenameFolder(string from, string to) => Directory.Move(from, to);

    /// <inheritdoc/>
    public void DeleteFolder(string path) => Directory.Delete(path);

    /// <inheritdoc/>
    public void FlushFolder(string path) => FolderSync.Flush(path);
}
