//! Names: folders, and the ordered list of name operations that no folder flush has covered. Invariant: a folder's `now` is its
//! `durable` with every operation of the list on top, in order.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    io, mem,
    path::{Component, Path, PathBuf},
};

use super::{content::Content, inode::Inode};

pub(super) type NodeId = u64;
pub(super) const ROOT: NodeId = 0;

#[derive(Clone)]
pub(super) enum Node {
    File(Inode),
    Folder(Folder),
    /// Neither a file nor a folder: a link or a FIFO, named as the real disk names it.
    Other(&'static str),
}

#[derive(Clone, Default)]
pub(super) struct Folder {
    pub(super) now: BTreeMap<OsString, NodeId>,
    pub(super) durable: BTreeMap<OsString, NodeId>,
}

#[derive(Clone)]
pub(super) struct NameChange {
    pub(super) folder: NodeId,
    pub(super) name: OsString,
    /// The node that the name leads to afterwards.
    pub(super) node: Option<NodeId>,
}

/// All or nothing, also a rename from one folder to another, as in journalling file systems.
#[derive(Clone)]
pub(super) struct NameOp {
    pub(super) changes: Vec<NameChange>,
    /// A folder flush that contained this operation failed: no later one makes it durable.
    stuck: bool,
}

#[derive(Clone)]
pub(super) struct Tree {
    pub(super) nodes: BTreeMap<NodeId, Node>,
    pub(super) ops: Vec<NameOp>,
    next_id: NodeId,
}

impl Tree {
    pub(super) fn new() -> Self {
        Self { nodes: BTreeMap::from([(ROOT, Node::Folder(Folder::default()))]), ops: Vec::new(), next_id: ROOT + 1 }
    }

    pub(super) fn resolve(&self, path: &Path) -> Option<NodeId> {
        names(path).iter().try_fold(ROOT, |node, name| self.folder(node)?.now.get(name).copied())
    }

    /// The folder that holds, or would hold, the last name of `path`, and that name.
    pub(super) fn locate(&self, path: &Path) -> io::Result<(NodeId, OsString)> {
        let mut names = names(path);
        let name = names.pop().ok_or(io::ErrorKind::InvalidInput)?;
        let mut node = ROOT;
        for name in names {
            let folder = self.folder(node).ok_or(io::ErrorKind::NotADirectory)?;
            node = *folder.now.get(&name).ok_or(io::ErrorKind::NotFound)?;
        }
        if self.folder(node).is_none() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok((node, name))
    }

    pub(super) fn folder(&self, id: NodeId) -> Option<&Folder> {
        match self.nodes.get(&id)? {
            Node::Folder(folder) => Some(folder),
            Node::File(_) | Node::Other(_) => None,
        }
    }

    fn folder_mut(&mut self, id: NodeId) -> Option<&mut Folder> {
        match self.nodes.get_mut(&id)? {
            Node::Folder(folder) => Some(folder),
            Node::File(_) | Node::Other(_) => None,
        }
    }

    pub(super) fn file(&self, id: NodeId) -> Option<&Inode> {
        match self.nodes.get(&id)? {
            Node::File(inode) => Some(inode),
            Node::Folder(_) | Node::Other(_) => None,
        }
    }

    pub(super) fn file_mut(&mut self, id: NodeId) -> Option<&mut Inode> {
        match self.nodes.get_mut(&id)? {
            Node::File(inode) => Some(inode),
            Node::Folder(_) | Node::Other(_) => None,
        }
    }

    /// The type of something that is no file.
    pub(super) fn kind_of(&self, path: &Path) -> &'static str {
        match self.resolve(path).and_then(|id| self.nodes.get(&id)) {
            Some(Node::Other(kind)) => kind,
            _ => "a folder",
        }
    }

    /// Puts a node in place of whatever is at `path`, whose folder exists; durable.
    pub(super) fn put_node(&mut self, path: &Path, node: Node) -> Option<()> {
        let (folder, name) = self.locate(path).ok()?;
        let id = self.next_id;
        self.next_id += 1;
        self.nodes.insert(id, node);
        self.change_names(vec![NameChange { folder, name: name.clone(), node: Some(id) }]);
        self.ops.pop();
        self.folder_mut(folder)?.durable.insert(name, id);
        Some(())
    }

    /// Creates a node under a free name.
    pub(super) fn create(&mut self, folder: NodeId, name: OsString, node: Node) -> NodeId {
        let id = self.next_id;
        self.next_id += 1;
        self.nodes.insert(id, node);
        self.change_names(vec![NameChange { folder, name, node: Some(id) }]);
        id
    }

    pub(super) fn remove(&mut self, folder: NodeId, name: OsString) {
        self.change_names(vec![NameChange { folder, name, node: None }]);
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (from_folder, from_name) = self.locate(from)?;
        let (to_folder, to_name) = self.locate(to)?;
        let node = self.resolve(from).ok_or(io::ErrorKind::NotFound)?;
        let target = self.resolve(to);
        if target == Some(node) {
            return Ok(());
        }
        let moved_into_itself = self.folder(node).is_some() && names(to).starts_with(&names(from));
        match (self.folder(node), target.map(|target| self.folder(target))) {
            _ if moved_into_itself => return Err(io::ErrorKind::InvalidInput.into()),
            (None, Some(Some(_))) => return Err(io::ErrorKind::IsADirectory.into()),
            (Some(_), Some(None)) => return Err(io::ErrorKind::NotADirectory.into()),
            (Some(_), Some(Some(target))) if !target.now.is_empty() => {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            _ => {}
        }
        self.change_names(vec![
            NameChange { folder: from_folder, name: from_name, node: None },
            NameChange { folder: to_folder, name: to_name, node: Some(node) },
        ]);
        Ok(())
    }

    fn change_names(&mut self, changes: Vec<NameChange>) {
        for NameChange { folder, name, node } in &changes {
            let Some(entries) = self.folder_mut(*folder) else { continue };
            let displaced = replace(&mut entries.now, name, *node);
            for (id, linked) in [(displaced, false), (*node, true)] {
                if let Some(inode) = id.and_then(|id| self.file_mut(id)) {
                    inode.linked = linked;
                }
            }
        }
        self.ops.push(NameOp { changes, stuck: false });
    }

    /// A successful folder flush: its operations, and their parts in other folders, are durable.
    pub(super) fn sync_folder(&mut self, folder: NodeId) {
        let mut needed = BTreeSet::from([folder]);
        let mut selected: Vec<bool> = self.ops.iter().rev().map(|op| op.joins(&mut needed)).collect();
        selected.reverse();
        let mut blocked = BTreeSet::new();
        let mut displaced = Vec::new();
        for (op, selected) in mem::take(&mut self.ops).into_iter().zip(selected) {
            if !selected {
                self.ops.push(op);
            } else if op.joins(&mut blocked) || op.stuck {
                blocked.extend(op.folders());
                self.ops.push(op);
            } else {
                displaced.extend(self.store(&op));
            }
        }
        for id in displaced {
            self.forget_unused(id);
        }
    }

    /// A failed folder flush: later ones succeed without making durable what was pending.
    pub(super) fn fail_sync_folder(&mut self, folder: NodeId) {
        for op in &mut self.ops {
            op.stuck |= op.changes.iter().any(|change| change.folder == folder);
        }
    }

    /// Applies an operation to the device; returns the nodes that lost a durable name by it.
    pub(super) fn store(&mut self, op: &NameOp) -> Vec<NodeId> {
        let mut displaced = Vec::new();
        for NameChange { folder, name, node } in &op.changes {
            if let Some(entries) = self.folder_mut(*folder) {
                displaced.extend(replace(&mut entries.durable, name, *node));
            }
        }
        displaced
    }

    /// Frees a file to which no name, present, durable or pending, and no handle refers.
    pub(super) fn forget_unused(&mut self, id: NodeId) {
        let unused = self.file(id).is_some_and(|inode| !inode.linked && inode.handles == 0)
            && !self.ops.iter().flat_map(|op| &op.changes).any(|change| change.node == Some(id))
            && !self.nodes.values().any(|node| match node {
                Node::Folder(folder) => folder.durable.values().any(|named| *named == id),
                Node::File(_) | Node::Other(_) => false,
            });
        if unused {
            self.nodes.remove(&id);
        }
    }

    /// Puts a file at `path`, durable with its name and folders; `None` if that is impossible.
    pub(super) fn put_durable(&mut self, path: &Path, content: Content) -> Option<()> {
        let mut path = names(path);
        let name = path.pop()?;
        let mut folder = ROOT;
        for name in path {
            folder = self.put_durable_node(folder, name, Node::Folder(Folder::default()))?;
        }
        let inode = Inode { linked: true, ..Inode::stored(content.clone()) };
        let id = self.put_durable_node(folder, name, Node::File(inode))?;
        let inode = self.file_mut(id)?;
        *inode = Inode { linked: true, handles: inode.handles, ..Inode::stored(content) };
        Some(())
    }

    /// The node with that name, or else `new`; either way the name is durable.
    fn put_durable_node(&mut self, folder: NodeId, name: OsString, new: Node) -> Option<NodeId> {
        let found = self.folder(folder)?.now.get(&name).copied();
        let id = found.unwrap_or(self.next_id);
        if found.is_none() {
            self.next_id += 1;
            self.nodes.insert(id, new);
        }
        let entries = self.folder_mut(folder)?;
        entries.now.insert(name.clone(), id);
        entries.durable.insert(name, id);
        Some(id)
    }

    /// The size of all files: each with its length, whether written or a hole.
    pub(super) fn used_bytes(&self) -> u64 {
        let held = |node: &Node| match node {
            Node::File(inode) if inode.linked || inode.handles > 0 => inode.now.len(),
            _ => 0,
        };
        self.nodes.values().map(held).sum()
    }

    /// Every file with its absolute path, sorted.
    pub(super) fn list(&self) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        let mut folders = vec![(ROOT, PathBuf::from("/"))];
        while let Some((id, path)) = folders.pop() {
            for (name, id) in self.folder(id).into_iter().flat_map(|folder| &folder.now) {
                match self.nodes.get(id) {
                    Some(Node::Folder(_)) => folders.push((*id, path.join(name))),
                    _ => paths.push(path.join(name)),
                }
            }
        }
        paths.sort();
        paths
    }
}

impl NameOp {
    /// The folders in which it changes names.
    pub(super) fn folders(&self) -> BTreeSet<NodeId> {
        self.changes.iter().map(|change| change.folder).collect()
    }

    /// Whether it touches one of `folders`; if so, adds all of its folders to them.
    fn joins(&self, folders: &mut BTreeSet<NodeId>) -> bool {
        let joins = self.changes.iter().any(|change| folders.contains(&change.folder));
        if joins {
            folders.extend(self.folders());
        }
        joins
    }
}

fn replace(entries: &mut BTreeMap<OsString, NodeId>, name: &OsString, node: Option<NodeId>) -> Option<NodeId> {
    match node {
        Some(node) => entries.insert(name.clone(), node),
        None => entries.remove(name),
    }
}

/// The names that lead from the root to `path`. Relative paths begin at the root too.
pub(super) fn names(path: &Path) -> Vec<OsString> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name.to_os_string()),
            Component::Prefix(prefix) => names.push(prefix.as_os_str().to_os_string()),
            Component::ParentDir => drop(names.pop()),
            Component::RootDir | Component::CurDir => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Node, ROOT, Tree};
    use crate::sim::inode::Inode;

    #[test]
    fn a_file_is_freed_when_nothing_leads_to_it() {
        let mut tree = Tree::new();
        let file = || Node::File(Inode::default());
        let old = tree.create(ROOT, "a".into(), file());
        tree.create(ROOT, "b".into(), file());
        tree.sync_folder(ROOT);
        tree.rename(Path::new("b"), Path::new("a")).unwrap();
        tree.forget_unused(old);
        assert!(tree.file(old).is_some(), "a power cut may bring it back");
        tree.sync_folder(ROOT);
        assert!(tree.file(old).is_none());
        assert_eq!(tree.nodes.len(), 2);
    }
}
