namespace Dataflow.Training.Tests;

/// <summary>A file or a folder as the disk has it: what is in use now, and what would be left if the power went.</summary>
internal abstract class DiskNode
{
    /// <summary>Writes what would be left.</summary>
    /// <param name="path">Where to.</param>
    /// <param name="random">Which of what was not flushed has reached the disk all the same; null: nothing has.</param>
    public abstract void Materialise(string path, Random? random);
}

/// <summary>Its bytes are safe once it is flushed; before that any part of them may be.</summary>
internal sealed class DiskFile : DiskNode
{
    private readonly List<byte> content = [];
    private int flushed;

    /// <summary>With content that is on the disk.</summary>
    public static DiskFile Of(byte[] bytes)
    {
        var file = new DiskFile();
        file.Append(bytes);
        file.Flush();
        return file;
    }

    public void Append(ReadOnlySpan<byte> bytes) => content.AddRange(bytes);

    public void Flush() => flushed = content.Count;

    /// <inheritdoc/>
    public override void Materialise(string path, Random? random)
    {
        byte[] bytes = [.. content];
        int length = random is null ? flushed : random.Next(flushed, bytes.Length + 1);
        if (random?.Next(2) == 0)
        {
            bytes.AsSpan(flushed).Clear(); // the length has reached the disk, the content has not
        }

        File.WriteAllBytes(path, bytes[..length]);
    }
}

/// <summary>
/// Its names are safe once the folder is flushed. Before that, changes reach the disk in the order in which they were made, as far as they
/// do: a journal of one folder, and no order between folders.
/// </summary>
internal sealed class DiskFolder : DiskNode
{
    private readonly Dictionary<string, DiskNode> names = [];
    private readonly List<Action<Dictionary<string, DiskNode>>> pending = [];
    private Dictionary<string, DiskNode> flushed = [];

    /// <summary>As it is on the disk.</summary>
    public static DiskFolder Of(string path)
    {
        var folder = new DiskFolder();
        foreach (string file in Directory.GetFiles(path).Where(f => Path.GetFileName(f) != FolderLock.FileName))
        {
            folder.names[Path.GetFileName(file)] = DiskFile.Of(File.ReadAllBytes(file));
        }

        foreach (string below in Directory.GetDirectories(path))
        {
            folder.names[Path.GetFileName(below)] = Of(below);
        }

        folder.Flush();
        return folder;
    }

    public DiskFolder Folder(string name) => (DiskFolder)names[name];

    public DiskFile Create(string name)
    {
        var file = new DiskFile();
        Change(all => all[name] = file);
        return file;
    }

    public void CreateFolder(string name)
    {
        if (!names.ContainsKey(name))
        {
            var folder = new DiskFolder();
            Change(all => all[name] = folder);
        }
    }

    public void Rename(string from, string to) => Change(all =>
    {
        all.Remove(from, out var node);
        all[to] = node!;
    });

    public void Delete(string name) => Change(all => all.Remove(name));

    public void Flush()
    {
        pending.Clear();
        flushed = new(names);
    }

    /// <inheritdoc/>
    public override void Materialise(string path, Random? random)
    {
        Directory.CreateDirectory(path);
        var left = new Dictionary<string, DiskNode>(flushed);
        foreach (var change in pending.Take(random?.Next(pending.Count + 1) ?? 0))
        {
            change(left);
        }

        foreach (var (name, node) in left)
        {
            node.Materialise(Path.Combine(path, name), random);
        }
    }

    private void Change(Action<Dictionary<string, DiskNode>> change)
    {
        change(names);
        pending.Add(change);
    }
}
